/** Starts the page. */
import {StrictMode} from 'react';
import {createRoot} from 'react-dom/client';
import {lookAgain, openChannel} from './app/channels';
import {unload} from './app/call';
import {isAtThreads, placeOf} from './app/location';
import {openThreads, readOpenThread} from './app/threads';
import {readAlerts} from './app/alerts';
import {watchRinging} from './app/ringing';
import {beginLook} from './app/look';
import {begin} from './app/session';
import {loadSettings} from './app/settings';
import {answerTabs} from './app/tabs';
import {patch, store} from './state/app';
import {App} from './ui/App';
import {watchViewport} from './ui/viewport';
import './styles/base.css';
import './styles/layout.css';
import './styles/messages.css';
import './styles/call.css';
import './styles/people.css';
import './styles/around.css';

const root = document.getElementById('root');
if (!root) {
    throw new Error('the page has no element `root`');
}
loadSettings();
patch({alerts: readAlerts()});
watchViewport();
watchRinging();
answerTabs();
const looking = beginLook();
void begin(looking);
await looking;
createRoot(root).render(<StrictMode><App/></StrictMode>);

window.addEventListener('pagehide', unload);
window.addEventListener('pageshow', (event) => {
    // Brought back from the browser's memory: what it shows is old, and its call was left.
    if (event.persisted) {
        location.reload();
    }
});
window.addEventListener('popstate', () => {
    const {channel} = placeOf(location);
    const {chat, view} = store.get();
    if (isAtThreads(location)) {
        openThreads();
        return;
    }
    if (chat.channels[channel] && (channel !== chat.channelId || view !== 'channel')) {
        void openChannel(channel);
    }
});
for (const look of [lookAgain, readOpenThread]) {
    window.addEventListener('focus', look);
    document.addEventListener('visibilitychange', look);
}
