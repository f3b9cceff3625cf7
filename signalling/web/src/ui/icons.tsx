/** Line icons, drawn here so that nothing is fetched. Decorative: the control next to them has a name. */
import type {ReactNode} from 'react';

/** `directed`: points along the line of reading, to the other side where that goes from right to left. */
function icon(paths: ReactNode, directed = false): () => ReactNode {
    return () => (
        <svg className={directed ? 'icon directed' : 'icon'} viewBox="0 0 24 24" aria-hidden="true" focusable="false">{paths}</svg>
    );
}

export const PhoneIcon = icon(<path d="M6 3h3l2 5-2.5 1.5a12 12 0 0 0 6 6L16 13l5 2v3a3 3 0 0 1-3 3A15 15 0 0 1 3 6a3 3 0 0 1 3-3z"/>);
export const LeaveIcon = icon(<path d="M3 14a14 14 0 0 1 18 0l-1.6 3.4-4-1.4v-3a12 12 0 0 0-6.8 0v3l-4 1.4z"/>);
export const MicIcon = icon(<><rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5 11a7 7 0 0 0 14 0M12 18v3"/></>);
export const MicOffIcon = icon(<><path d="M9 6a3 3 0 0 1 6 0v5M9 10v1a3 3 0 0 0 4.5 2.6M5 11a7 7 0 0 0 10.5 6M19 11a7 7 0 0 1-.6 2.8M12 18v3M4 3l16 18"/></>);
export const CameraIcon = icon(<><rect x="3" y="6" width="12" height="12" rx="3"/><path d="m15 11 6-3v8l-6-3"/></>);
export const CameraOffIcon = icon(<><path d="M9 6h3a3 3 0 0 1 3 3v3m0 3a3 3 0 0 1-3 3H6a3 3 0 0 1-3-3V9a3 3 0 0 1 2-2.8M15 11l6-3v8l-3-1.5M4 3l16 18"/></>);
export const HandIcon = icon(<path d="M7 12V6.5a1.5 1.5 0 0 1 3 0V11m0-6.5a1.5 1.5 0 0 1 3 0V11m0-5.5a1.5 1.5 0 0 1 3 0V12m0-3.5a1.5 1.5 0 0 1 3 0V15a6 6 0 0 1-6 6h-1.5a6 6 0 0 1-4.6-2.2L3.6 14.5a1.6 1.6 0 0 1 2.4-2L7 13.5"/>);
export const SmileIcon = icon(<><circle cx="12" cy="12" r="9"/><path d="M8.5 14a4.5 4.5 0 0 0 7 0M9 9.5h.01M15 9.5h.01"/></>);
export const ScreenIcon = icon(<><rect x="3" y="4" width="18" height="13" rx="2"/><path d="M9 21h6M12 14V8m-2.5 2.5L12 8l2.5 2.5"/></>);
export const ScreenStopIcon = icon(<><rect x="3" y="4" width="18" height="13" rx="2"/><path d="M9 21h6m-5-12.5 4 4m0-4-4 4"/></>);
export const RecordIcon = icon(<><circle cx="12" cy="12" r="9"/><circle className="filled" cx="12" cy="12" r="4"/></>);
export const PauseIcon = icon(<><circle cx="12" cy="12" r="9"/><path d="M10 9v6M14 9v6"/></>);
export const StopIcon = icon(<><circle cx="12" cy="12" r="9"/><rect className="filled" x="9" y="9" width="6" height="6" rx="1"/></>);
export const EndIcon = icon(<><circle cx="12" cy="12" r="9"/><path d="m9 9 6 6m0-6-6 6"/></>);
export const CaptionsIcon = icon(<><rect x="3" y="5" width="18" height="14" rx="3"/><path d="M11 10.5a2.2 2.2 0 1 0 0 3M17.5 10.5a2.2 2.2 0 1 0 0 3"/></>);
export const SmallerTextIcon = icon(<path d="m3 18 5-12 5 12M5 14h6M16 12h6"/>);
export const LargerTextIcon = icon(<path d="m3 18 5-12 5 12M5 14h6M16 12h6M19 9v6"/>);
export const WideIcon = icon(<path d="M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7"/>);
export const NarrowIcon = icon(<path d="M20 10h-6V4M4 14h6v6M14 10l6-6M10 14l-6 6"/>);
export const PlusIcon = icon(<path d="M12 5v14M5 12h14"/>);
export const CloseIcon = icon(<path d="m6 6 12 12M18 6 6 18"/>);
export const BackIcon = icon(<path d="M15 5l-7 7 7 7"/>, true);
export const HashIcon = icon(<path d="M5 9h15M4 15h15M10 4 8 20M16 4l-2 16"/>);
export const LockIcon = icon(<><rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/></>);
export const SendIcon = icon(<path d="M4 12 20 4l-5 16-3.5-6.5z"/>, true);
export const ThreadIcon = icon(<path d="M4 5h16v11H10l-4 4v-4H4z"/>);
export const DownloadIcon = icon(<path d="M12 4v11m-4-4 4 4 4-4M5 20h14"/>);
export const SignOutIcon = icon(<path d="M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8M11 12h9m-3-3 3 3-3 3"/>, true);
export const ZoomInIcon = icon(<><circle cx="11" cy="11" r="6"/><path d="m20 20-4.5-4.5M11 8.5v5M8.5 11h5"/></>);
export const ZoomOutIcon = icon(<><circle cx="11" cy="11" r="6"/><path d="m20 20-4.5-4.5M8.5 11h5"/></>);
export const FitIcon = icon(<><rect x="4" y="6" width="16" height="12" rx="1.5"/><path d="M8 10v4m8-4v4"/></>);
export const FullIcon = icon(<path d="M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5"/>);
export const PopOutIcon = icon(<><path d="M20 11V5H4v13h7"/><rect className="filled" x="13" y="14" width="8" height="6" rx="1"/></>);
export const LinkIcon = icon(<path d="M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1m2 4a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1"/>);
export const SearchIcon = icon(<><circle cx="11" cy="11" r="6"/><path d="m20 20-4.5-4.5"/></>);
export const BellIcon = icon(<path d="M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4"/>);
export const OptionsIcon = icon(<path d="m6 15 6-6 6 6"/>);
export const MoreIcon = icon(<path d="M5 12h.01M12 12h.01M19 12h.01" strokeWidth="3"/>);
export const PeopleIcon = icon(<><circle cx="9" cy="8" r="3.5"/><path d="M2.5 20a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.2a6.5 6.5 0 0 1 3.5 5.8"/></>);
export const WeakIcon = icon(<path d="M4 20v-3M9.5 20v-7M15 20h.01M20 20h.01M15 5l5 6M20 5l-5 6"/>);
export const SettingsIcon = icon(<path d="M4 7h9M19 7h1M4 17h1M11 17h9M16 4.5v5M8 14.5v5"/>);
export const AttachIcon = icon(<path d="M8 12.5 14.5 6a3 3 0 0 1 4.2 4.2l-8 8a5 5 0 0 1-7-7L11.5 3"/>);
export const GearIcon = icon(<><circle cx="12" cy="12" r="3"/><path d="M12 3v3m0 12v3M3 12h3m12 0h3M5.6 5.6l2.2 2.2m8.4 8.4 2.2 2.2m0-12.8-2.2 2.2m-8.4 8.4-2.2 2.2"/></>);
export const ShieldIcon = icon(<path d="M12 3 5 6v5c0 5 3 8 7 10 4-2 7-5 7-10V6z"/>);
export const DownIcon = icon(<path d="M12 5v14m-6-6 6 6 6-6"/>);
export const CheckIcon = icon(<path d="m5 12.5 4.5 4.5L19 7.5"/>);
