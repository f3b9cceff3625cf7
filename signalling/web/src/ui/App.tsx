/** The page: which of its states is shown, and how the parts stand together. */
import {useEffect, useState, type ReactNode} from 'react';
import {leaveCall} from '../app/call';
import {begin, createTeam, signOut} from '../app/session';
import {patch, useApp} from '../state/app';
import {number, say} from '../words/words';
import {CallDialogs} from './call/CallDialogs';
import {useCallPlace} from './call/place';
import {ChannelView} from './ChannelView';
import {EndingBar} from './EndingNotice';
import {Sidebar} from './Sidebar';
import {Field, Refusal, SignIn, useSubmit} from './SignIn';
import {keepFocus} from './focus';
import {fetchDialogsSoon, Later} from './Later';
import {ThreadPanel} from './ThreadPanel';
import {ThreadsView} from './ThreadsView';

export function App(): ReactNode {
    const phase = useApp((state) => state.phase);
    useApp((state) => state.language); // everything below is said anew in another language
    switch (phase) {
    case 'loading':
        return <main className="sign-in"><p role="status">{say('chat_loading')}</p></main>;
    case 'unreachable':
        return <Unreachable/>;
    case 'signed-out':
        return <SignIn/>;
    case 'ready':
        return <Workspace/>;
    }
}

function Workspace(): ReactNode {
    const view = useApp((state) => state.view);
    const threadId = useApp((state) => state.chat.threadId);
    const threads = useApp((state) => state.chat.threadsOpen);
    const teams = useApp((state) => state.chat.teams.length);
    const asked = useApp((state) => state.question !== null);
    const ringing = useApp((state) => state.ring !== null);
    const searching = useApp((state) => state.searching);
    const screenShown = useScreenShown();
    const place = useCallPlace();
    useTitle();
    useEffect(keepFocus, []);
    useSearchKey();
    useEffect(fetchDialogsSoon, []);
    if (teams === 0) {
        return <NoTeam/>;
    }
    return (
        <div className="app" data-view={view} data-thread={threadId !== ''} data-threads={threads} data-screen={screenShown}>
            <a className="skip" href="#channel" onClick={(event) => {
                event.preventDefault();
                document.getElementById('channel')?.focus();
            }}>{say('chat_skip')}</a>
            <Sidebar/>
            {threads ? <ThreadsView/> : <ChannelView/>}
            {threadId !== '' && <ThreadPanel rootId={threadId}/>}
            {place === 'bar' && <Later onFail={leaveCall}>{({CallBar}) => <CallBar/>}</Later>}
            <EndingBar/>
            {ringing && <Later onFail={() => undefined}>{({RingingCard}) => <RingingCard/>}</Later>}
            {asked && <Later onFail={() => patch({question: null})}>{({Questions}) => <Questions/>}</Later>}
            {searching && <Later onFail={() => patch({searching: false})}>{({SearchDialog}) => <SearchDialog/>}</Later>}
            <CallDialogs/>
            <Announcer/>
        </div>
    );
}

/** A shared screen fills the stage: then it gets the room of the list as well. */
function useScreenShown(): boolean {
    const staged = useCallPlace() === 'stage';
    return useApp(({active}) => staged && active !== null && active.wide && active.remoteScreen !== null);
}

/** Ctrl+K, on a Mac Command+K. */
function useSearchKey(): void {
    useEffect(() => {
        const pressed = (event: KeyboardEvent): void => {
            if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k' && !document.querySelector('dialog[open]')) {
                event.preventDefault();
                patch({searching: true});
            }
        };
        addEventListener('keydown', pressed);
        return () => removeEventListener('keydown', pressed);
    }, []);
}

/** Tells screen readers what happens in the call. */
function Announcer(): ReactNode {
    const announcement = useApp((state) => state.announcement);
    return <p className="visually-hidden" role="status" aria-live="polite">{announcement}</p>;
}

function Unreachable(): ReactNode {
    const fault = useApp((state) => state.fault);
    const retry = (): void => {
        patch({phase: 'loading'});
        void begin();
    };
    return (
        <main className="sign-in">
            <div className="card">
                <h1>{say('chat_unreachable')}</h1>
                <p role="alert">{fault}</p>
                <button type="button" className="primary" onClick={retry}>{say('chat_try_again')}</button>
            </div>
        </main>
    );
}

function NoTeam(): ReactNode {
    const [name, setName] = useState('');
    const {busy, refusal, submit} = useSubmit(() => createTeam(name));
    return (
        <main className="sign-in">
            <div className="card">
                <form onSubmit={submit} aria-label={say('people_create_team')}>
                    <h1>{say('people_no_team')}</h1>
                    <p className="hint">{say('people_no_team_hint')}</p>
                    <Field label={say('people_team_name')} testId="team-name" value={name} onChange={setName} autoFocus/>
                    <Refusal text={refusal}/>
                    <button type="submit" className="primary" disabled={busy} data-testid="create-team">{say('people_create_team')}</button>
                </form>
                <button type="button" className="link" onClick={() => void signOut()}>{say('sign_out')}</button>
            </div>
        </main>
    );
}

function useTitle(): void {
    const siteName = useApp((state) => state.siteName);
    const unread = useApp((state) => Object.values(state.chat.unread).reduce((sum, count) => sum + count, 0));
    const answers = useApp((state) => (state.chat.apart ? state.threads.unreadThreads : 0));
    const inCall = useApp((state) => state.active !== null);
    const language = useApp((state) => state.language);
    useEffect(() => {
        document.title = `${unread + answers > 0 ? `(${number(unread + answers)}) ` : ''}${inCall ? say('chat_title_in_call', {site: siteName}) : siteName}`;
    }, [siteName, unread, answers, inCall, language]);
}
