/** The page: which of its states is shown, and how the parts stand together. */
import {useEffect, useState, type ReactNode} from 'react';
import {begin, createTeam, signOut} from '../app/session';
import {patch, useApp} from '../state/app';
import {CallBar} from './call/CallBar';
import {CallDialogs} from './call/CallDialogs';
import {useCallPlace} from './call/place';
import {ChannelView} from './ChannelView';
import {Questions} from './Questions';
import {RingingCard} from './RingingCard';
import {Sidebar} from './Sidebar';
import {Field, Refusal, SignIn, useSubmit} from './SignIn';
import {ThreadPanel} from './ThreadPanel';

export function App(): ReactNode {
    const phase = useApp((state) => state.phase);
    switch (phase) {
    case 'loading':
        return <main className="sign-in"><p role="status">Loading…</p></main>;
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
    const teams = useApp((state) => state.chat.teams.length);
    const screenShown = useScreenShown();
    useTitle();
    if (teams === 0) {
        return <NoTeam/>;
    }
    return (
        <div className="app" data-view={view} data-thread={threadId !== ''} data-screen={screenShown}>
            <a className="skip" href="#channel" onClick={(event) => {
                event.preventDefault();
                document.getElementById('channel')?.focus();
            }}>Skip to the channel</a>
            <Sidebar/>
            <ChannelView/>
            {threadId !== '' && <ThreadPanel rootId={threadId}/>}
            <CallBar/>
            <RingingCard/>
            <Questions/>
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
                <h1>The server cannot be reached</h1>
                <p role="alert">{fault}</p>
                <button type="button" className="primary" onClick={retry}>Try again</button>
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
                <form onSubmit={submit} aria-label="Create a team">
                    <h1>You are in no team yet</h1>
                    <p className="hint">Ask an administrator to add you to one, or create one if you may.</p>
                    <Field label="Name of the team" testId="team-name" value={name} onChange={setName} autoFocus/>
                    <Refusal text={refusal}/>
                    <button type="submit" className="primary" disabled={busy} data-testid="create-team">Create team</button>
                </form>
                <button type="button" className="link" onClick={() => void signOut()}>Sign out</button>
            </div>
        </main>
    );
}

function useTitle(): void {
    const siteName = useApp((state) => state.siteName);
    const unread = useApp((state) => Object.values(state.chat.unread).reduce((sum, count) => sum + count, 0));
    const inCall = useApp((state) => state.active !== null);
    useEffect(() => {
        document.title = `${unread > 0 ? `(${unread}) ` : ''}${siteName}${inCall ? ' · in a call' : ''}`;
    }, [siteName, unread, inCall]);
}
