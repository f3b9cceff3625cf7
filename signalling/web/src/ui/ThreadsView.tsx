/** The threads that this person follows, in the place of a channel. */
import type {ReactNode} from 'react';
import {patch} from '../state/app';
import {say} from '../words/words';
import {Notices} from './ChannelView';
import {BackIcon} from './icons';
import {Later} from './Later';

export function ThreadsView(): ReactNode {
    return (
        <main className="channel" id="channel" tabIndex={-1} aria-label={say('thread_threads')} data-testid="threads-view">
            <header className="channel-head">
                <button type="button" className="icon-button back" aria-label={say('chat_all_channels')} data-testid="all-channels" onClick={() => patch({view: 'list'})}><BackIcon/></button>
                <h1 className="grow">{say('thread_threads')}</h1>
            </header>
            <Notices channelId=""/>
            <Later onFail={() => undefined}>{({ThreadList}) => <ThreadList/>}</Later>
        </main>
    );
}
