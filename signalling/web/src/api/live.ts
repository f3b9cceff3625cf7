/**
 * The live connection for messages and channel news, on the official WebSocket client (its module alone: the
 * whole package is larger than this page).
 *
 * Not here: the socket of the own call (`peer/socket`), which has its own rules for reconnecting.
 */
import imported from '@mattermost/client/lib/websocket';
import {isRecord} from '../peer/record';

// A CommonJS module: what it exports as default is a field of what a bundler takes for its default.
const WebSocketClient = (imported as typeof imported & {default?: typeof imported}).default ?? imported;

export interface LiveListener {
    onEvent(name: string, data: Record<string, unknown>, channelId: string): void;
    onOnline(online: boolean): void;
    /** Events may have been missed: load afresh what is shown. */
    onGap(): void;
}

export class Live {
    private readonly client = new WebSocketClient({
        minWebSocketRetryTime: 1000,
        maxWebSocketRetryTime: 15_000,
        reconnectJitterRange: 500,
        clientPingInterval: 10_000,
    });

    constructor(listener: LiveListener) {
        this.client.addMessageListener((message: unknown) => {
            if (!isRecord(message) || typeof message['event'] !== 'string') {
                return;
            }
            const data = isRecord(message['data']) ? message['data'] : {};
            const broadcast = isRecord(message['broadcast']) ? message['broadcast'] : {};
            const channelId = [broadcast['channel_id'], data['channelID'], data['channel_id']]
                .find((id): id is string => typeof id === 'string' && id !== '') ?? '';
            listener.onEvent(message['event'], data, channelId);
        });
        this.client.addFirstConnectListener(() => listener.onOnline(true));
        this.client.addReconnectListener(() => {
            listener.onOnline(true);
            listener.onGap();
        });
        this.client.addMissedMessageListener(() => listener.onGap());
        this.client.addCloseListener(() => listener.onOnline(false));
    }

    open(address: string): void {
        this.client.initialize(address);
    }

    /** Lost while the connection is: nothing depends on it. */
    tellTyping(channelId: string, rootId: string): void {
        this.client.userTyping(channelId, rootId);
    }

    tellActive(active: boolean): void {
        this.client.userUpdateActiveStatus(active, false);
    }

    close(): void {
        this.client.close();
    }
}
