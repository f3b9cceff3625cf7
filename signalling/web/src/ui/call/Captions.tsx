/** Live captions: the latest words of each speaker, gone 5 s after they came; what came before is in the history. */
import type {ReactNode} from 'react';
import {togglePanel} from '../../app/stage';
import {changeSettings} from '../../app/settings';
import type {Caption} from '../../state/active';
import {useApp} from '../../state/app';
import {isRunning} from '../../state/calls';
import {displayName} from '../../state/chat';
import {CAPTION_SIZES, useSettings} from '../../state/settings';
import {captionNotice} from '../../state/reasons';
import {captionsTold} from '../../state/speech';
import {say} from '../../words/words';
import {LargerTextIcon, SmallerTextIcon} from '../icons';

/** More than this many speakers at once nobody can read. */
const MAX_LINES = 3;

export function Captions(): ReactNode {
    const captions = useApp((state) => state.active?.captions);
    const shown = useApp((state) => state.active?.showCaptions ?? false);
    const users = useApp((state) => state.chat.users);
    const size = useSettings((settings) => settings.captionSize);
    const none = useApp(({active, calls, callsConfig}) => {
        const call = active ? calls[active.channelId] : undefined;
        return call ? captionsTold(call, callsConfig) : '';
    });
    const running = useApp((state) => isRunning(state.active ? state.calls[state.active.channelId]?.captions ?? null : null));
    if (!shown || !captions || (captions.length === 0 && !running)) {
        return null;
    }
    return (
        // Not announced: a screen reader's user hears the speaker.
        <div className="captions" aria-live="off" role="region" aria-label={say('call_captions_live')} data-testid="captions" data-count={captions.length} data-size={size}>
            <div className="caption-lines">
                {captions.length === 0 && <p className="muted" data-testid="captions-awaited" data-none={none !== ''}>{none || say('call_captions_waiting')}</p>}
                {captions.slice(-MAX_LINES).map((caption) => (
                    <p key={caption.sessionId} data-testid="caption" data-session={caption.sessionId} data-notice={caption.notice}>
                        <strong dir="auto">{displayName(users[caption.userId])}</strong> <Words caption={caption}/>
                    </p>
                ))}
            </div>
            <div className="caption-tools">
                <SizeButton by={-1} icon={<SmallerTextIcon/>} label={say('call_captions_smaller')} testId="captions-smaller"/>
                <SizeButton by={1} icon={<LargerTextIcon/>} label={say('call_captions_larger')} testId="captions-larger"/>
                <button type="button" data-testid="captions-history" onClick={() => togglePanel('captions')}>{say('call_said_short')}</button>
            </div>
        </div>
    );
}

/** What may still be heard otherwise is lighter, so that nobody takes it for said. */
function Words({caption: {text, settled, language, notice, translated}}: {caption: Caption}): ReactNode {
    if (notice) {
        return <em dir="auto">{captionNotice(text)}</em>;
    }
    if (translated) {
        return <span dir="auto" lang={translated.language} data-testid="caption-translated">{translated.text}</span>;
    }
    return (
        <span dir="auto" lang={language === '' ? undefined : language}>
            {text.slice(0, settled)}{settled < text.length && <span className="unsettled" data-testid="caption-unsettled">{text.slice(settled)}</span>}
        </span>
    );
}

function SizeButton({by, icon, label, testId}: {by: 1 | -1; icon: ReactNode; label: string; testId: string}): ReactNode {
    const size = useSettings((settings) => settings.captionSize);
    const next = CAPTION_SIZES[CAPTION_SIZES.indexOf(size) + by];
    return (
        <button type="button" aria-label={label} title={label} data-testid={testId} aria-disabled={next === undefined} onClick={() => {
            if (next) {
                changeSettings({captionSize: next});
            }
        }}>{icon}</button>
    );
}
