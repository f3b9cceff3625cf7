/** What stands beside the tiles when asked for: everybody in a list, or what was said. */
import {Fragment, memo, useEffect, useRef, useState, type ReactNode} from 'react';
import {readCaptionsIn} from '../../app/passing';
import {togglePanel} from '../../app/stage';
import {muteOthers} from '../../app/host';
import {useApp} from '../../state/app';
import type {Panel} from '../../state/active';
import {displayName} from '../../state/chat';
import {found, inGroups, MANY} from '../../state/roster';
import {captionNotice} from '../../state/reasons';
import {useSettings} from '../../state/settings';
import {languageName} from '../../state/speech';
import {LANGUAGES} from '../../words/languages';
import {currentLanguage, say} from '../../words/words';
import {Portrait} from '../Avatar';
import {CloseIcon, HandIcon, MicIcon, MicOffIcon, ScreenIcon} from '../icons';
import {clock} from '../time';
import {useNear, type Near} from './near';
import {PersonMenu} from './PersonMenu';
import {personProps, roleWords, samePerson, shownOf, useRoster, useWatched, type PersonProps} from './person';

export function SidePanel(): ReactNode {
    const panel = useApp((state) => state.active?.panel ?? null);
    switch (panel) {
    case 'people':
        return <People/>;
    case 'captions':
        return <Said/>;
    case null:
        return null;
    }
}

function People(): ReactNode {
    const {people, hold} = useRoster();
    const watched = useWatched();
    const {users, hosts} = watched;
    const many = people.length > MANY;
    const near = useNear(many);
    const [wanted, setWanted] = useState('');
    const shown = found(people, wanted, ({userId}) => `${displayName(users[userId])} ${users[userId]?.username ?? ''}`);
    return (
        <PanelFrame panel="people" title={say('call_people_label', {count: people.length})}>
            <input
                type="search" aria-label={say('call_search')} placeholder={say('call_search')} value={wanted} data-testid="people-search"
                onChange={(event) => setWanted(event.target.value)}
            />
            <ol {...hold} className="people-list" data-testid="people-list" data-count={shown.length} data-many={many}>
                {inGroups(shown).map(([rank, group]) => (
                    <Fragment key={rank}>{group.map((person) => <Row key={person.userId} near={near} {...personProps(person, watched)}/>)}</Fragment>
                ))}
            </ol>
            {shown.length === 0 && <p className="muted" role="status">{say('call_search_nobody')}</p>}
            {hosts && people.length > 1 && (
                <button type="button" data-testid="mute-others" onClick={() => void muteOthers()}>{say('call_host_mute_others')}</button>
            )}
        </PanelFrame>
    );
}

/** Drawn anew when something about the person, or the language, is another. */
const Row = memo(({near, ...props}: PersonProps & {near: Near}): ReactNode => {
    const {person, user} = props;
    const shown = shownOf(props);
    const {name, muted, speaking, qualityText} = shown;
    const below = [roleWords(shown, person), qualityText].filter((part) => part !== '').join(' · ');
    return (
        <li ref={near} data-user={person.userId} aria-label={shown.label} data-testid={`person-row-${shown.key}`} data-speaking={speaking} data-muted={muted}>
            <Portrait name={name} id={person.userId} pictured={user?.last_picture_update ?? 0}/>
            <span className="grow">
                <span className="row-name" dir="auto">{name}</span>
                {below !== '' && <span className="row-below muted">{below}</span>}
            </span>
            {person.raisedHand > 0 && <span className="row-hand"><HandIcon/></span>}
            {person.isSharing && <ScreenIcon/>}
            <span className="row-mic">{muted ? <MicOffIcon/> : <MicIcon/>}</span>
            <PersonMenu person={person} user={user} own={props.own} hosts={props.hosts}/>
        </li>
    );
}, samePerson);

/** The captions so far, oldest first; stays at the end while the person is there. */
function Said(): ReactNode {
    const log = useApp((state) => state.active?.captionLog) ?? [];
    const users = useApp((state) => state.chat.users);
    // Worth saying where more than one is spoken, or another one than the page's.
    const several = log.some(({language}) => language !== '' && language !== currentLanguage().split('-')[0]);
    const list = useRef<HTMLOListElement>(null);
    const atEnd = useRef(true);
    useEffect(() => {
        if (atEnd.current && list.current) {
            list.current.scrollTop = list.current.scrollHeight;
        }
    }, [log]);
    return (
        <PanelFrame panel="captions" title={say('call_said')}>
            {log.length === 0 && <p className="muted">{say('call_said_nothing')}</p>}
            {log.some(({language}) => language !== '') && <ReadIn/>}
            <ol
                className="said" ref={list} tabIndex={0} aria-label={say('call_said')} data-testid="caption-history" data-count={log.length}
                onScroll={({currentTarget: at}) => {
                    atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
                }}
            >
                {log.map(({id, userId, text, from, language, notice, translated}) => (
                    <li key={id} data-testid="caption-line" data-notice={notice}>
                        <span className="muted">
                            <bdi>{displayName(users[userId])}</bdi> · <time dateTime={new Date(from).toISOString()}>{clock(from)}</time>
                            {language !== '' && several && <> · <bdi data-testid="caption-language">{languageName(language)}</bdi></>}
                        </span>
                        {notice ? <em dir="auto">{captionNotice(text)}</em> : <span dir="auto" lang={language === '' ? undefined : language}>{text}</span>}
                        {translated && <span className="said-translated" dir="auto" lang={translated.language} data-testid="caption-line-translated">{translated.text}</span>}
                    </li>
                ))}
            </ol>
        </PanelFrame>
    );
}

/** The language in which captions are read; the server translates what is said from now on. */
function ReadIn(): ReactNode {
    const wish = useSettings((settings) => settings.captionLanguage);
    const none = useApp((state) => state.active?.noTranslator ?? false);
    return (
        <label className="field">
            <span>{say('call_said_read_in')}</span>
            <select value={wish} data-testid="caption-read-in" onChange={({currentTarget}) => readCaptionsIn(currentTarget.value)}>
                <option value="">{say('call_said_as_spoken')}</option>
                {LANGUAGES.map(({tag, name}) => <option key={tag} value={tag.split('-')[0]} lang={tag}>{name}</option>)}
            </select>
            {none && wish !== '' && <span className="muted" role="status" data-testid="caption-no-translator">{say('call_said_no_translator')}</span>}
        </label>
    );
}

function PanelFrame({panel, title, children}: {panel: Panel; title: string; children: ReactNode}): ReactNode {
    const frame = useRef<HTMLElement>(null);
    useEffect(() => {
        frame.current?.querySelector<HTMLElement>('input, .panel-head button')?.focus({preventScroll: true});
    }, []);
    const close = (): void => {
        togglePanel(panel);
        document.querySelector<HTMLElement>('[data-testid="people-toggle"]')?.focus({preventScroll: true});
    };
    return (
        <aside
            ref={frame} className="side-panel" aria-label={title} data-testid={`${panel}-panel`}
            onKeyDown={(event) => {
                if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('.floating:popover-open')) {
                    close();
                }
            }}
        >
            <div className="panel-head">
                <h2 className="grow">{title}</h2>
                <button type="button" className="icon-button" aria-label={say('call_close')} data-testid={`close-${panel}`} onClick={close}><CloseIcon/></button>
            </div>
            {children}
        </aside>
    );
}
