/** The administrator's page: people, channels, calls that run, whether all is well, what is kept, and the nodes. */
import type {ReactNode} from 'react';
import {useApp} from '../../state/app';
import {say} from '../../words/words';
import {Dialog} from '../Dialog';
import {Tabs} from '../Tabs';
import {AccountList} from './AccountList';
import {Channels} from './Channels';
import {HealthReport} from './HealthReport';
import {NewAccounts} from './NewAccounts';
import {NodeList} from './NodeList';
import {Recordings} from './Recordings';
import {RunningCalls} from './RunningCalls';

export function AdminDialog({onClose}: {onClose: () => void}): ReactNode {
    const noCalls = useApp((state) => state.noCalls);
    return (
        <Dialog title={say('admin_title')} testId="admin-dialog" wide onClose={onClose}>
            <Tabs label={say('admin_title')} tabs={[
                {id: 'people', title: say('admin_people'), content: <AccountList/>},
                {id: 'new-people', title: say('admin_new'), content: <NewAccounts/>},
                {id: 'channels', title: say('chat_channels'), content: <Channels/>},
                ...(noCalls ? [] : [{id: 'calls', title: say('admin_calls'), content: <><RunningCalls/><Recordings/></>}]),
                {id: 'health', title: say('admin_health'), content: <HealthReport/>},
                {id: 'nodes', title: say('admin_nodes'), content: <NodeList/>},
            ]}/>
        </Dialog>
    );
}
