/**
 * What people write that begins with `/`: `/call` is carried out by this page as far as it can be,
 * everything else by the server, and nothing of it is published.
 *
 * In: a command and where it was written. Out: what happened, or why it did not, in words.
 */
import {askAsHost, startRecording, stopRecording, uploadLogs} from '../api/calls';
import {ServerRefusal} from '../api/http';
import {api, describe} from '../api/rest';
import {announce, patch, store} from '../state/app';
import {coded, readCommand} from '../state/command';
import {isAdministrator} from '../state/rights';
import {say, type Key} from '../words/words';
import {joinCall, leaveCall} from './call';
import {askFirst, callStats} from './incall';
import {callLog} from './calllog';

export interface CommandPlace {
    channelId: string;
    rootId: string;
}

/** Resolves to why it was not carried out; empty when it was. */
export async function carryOut(command: string, place: CommandPlace): Promise<string> {
    try {
        const refused = await inCall(command, place);
        return refused ? say(refused) : '';
    } catch (error) {
        const unknown = error instanceof ServerRefusal && [404, 501].includes(error.status);
        return unknown ? say('chat_no_command', {command: command.split(/\s/)[0] ?? command}) : say('chat_not_done', {why: describe(error)});
    }
}

/** Resolves to the word about what hinders it. */
async function inCall(command: string, place: CommandPlace): Promise<Key | null> {
    const {channelId} = place;
    const {active, calls, callsConfig, noCalls} = store.get();
    const running = calls[channelId] !== undefined || active?.channelId === channelId;
    const {verb, rest} = readCommand(command);
    if (noCalls && verb !== '') {
        return 'bar_calls_off';
    }
    switch (verb) {
    case 'start':
    case 'join':
        if (!callsConfig) {
            return 'bar_calls_off';
        }
        if (active?.channelId === channelId || (verb === 'start' && running)) {
            return 'chat_command_running';
        }
        await joinCall(channelId, undefined, rest);
        return null;
    case 'leave':
        if (active?.channelId !== channelId) {
            return 'chat_command_not_in';
        }
        leaveCall();
        return null;
    case 'end':
        return askToEnd(channelId, running);
    case 'recording start':
        if (running && await askFirst(channelId)) {
            return null;
        }
        return running ? recorded(startRecording(channelId)) : 'chat_command_no_call';
    case 'recording stop':
        return running ? recorded(stopRecording(channelId)) : 'chat_command_no_call';
    case 'logs':
        if (callLog() === '') {
            return 'chat_command_no_log';
        }
        await uploadLogs(callLog(), channelId, store.get().chat.teamId);
        announce(say('chat_command_logs_sent'));
        return null;
    case 'stats':
        await toServer(`/call stats ${coded(await callStats())}`, place);
        return null;
    default:
        await toServer(command, place);
        return null;
    }
}

async function toServer(command: string, {channelId, rootId}: CommandPlace): Promise<void> {
    await api.executeCommand(command, {channel_id: channelId, root_id: rootId, team_id: store.get().chat.teamId});
}

function askToEnd(channelId: string, running: boolean): Key | null {
    const {calls, chat} = store.get();
    if (!running) {
        return 'chat_command_no_call';
    }
    if (calls[channelId]?.hostId !== chat.me?.id && !isAdministrator(chat.me)) {
        return 'chat_command_not_host';
    }
    patch({question: {kind: 'end-call', channelId}});
    return null;
}

/** The person was asked. */
export async function endCallOf(channelId: string): Promise<void> {
    try {
        await askAsHost(channelId, {control: 'end', who: {}});
    } catch (error) {
        patch({fault: say('chat_not_done', {why: describe(error)})});
    }
}

async function recorded(asking: Promise<unknown>): Promise<Key | null> {
    await asking;
    return null;
}
