/** What the first screen does not need: fetched once it stands (`Later`). */
export {AddDialog} from './AddDialog';
export {AdminDialog} from './admin/AdminDialog';
export {ChannelDialog} from './ChannelDialog';
export {Lobby} from './Lobby';
export {ProfileDialog} from './ProfileDialog';
export {Recording} from './Recording';
export {Transcript} from './Transcript';
