/** What the first screen does not need, with its English: fetched once it stands (`Later`). */
import {LATER_REFUSALS} from '../api/laterrefusals';
import {learnRefusals} from '../api/rest';
import later from '../words/en-later.json';
import {learn} from '../words/words';

export {AddDialog} from './AddDialog';
export {AdminDialog} from './admin/AdminDialog';
export {CallBar} from './call/CallBar';
export {CallStage} from './call/CallStage';
export {ChannelDialog} from './ChannelDialog';
export {DevicePicker} from './call/DevicePicker';
export {Elsewhere} from './call/Elsewhere';
export {KeyList} from './call/KeyList';
export {InviteDialog} from './InviteDialog';
export {Lobby} from './Lobby';
export {PostEditor} from './PostEditor';
export {ProfileDialog} from './ProfileDialog';
export {Questions} from './Questions';
export {ReactionPicker} from './ReactionPicker';
export {Recording} from './Recording';
export {RingingCard} from './RingingCard';
export {SearchDialog} from './SearchDialog';
export {SidePanel} from './call/SidePanel';
export {ThreadList} from './ThreadList';
export {Transcript} from './Transcript';

learn(later);
learnRefusals(LATER_REFUSALS);
