/** Microphone, speaker and camera: which, whether they work, and how the microphone's sound is treated. */
import {useEffect, useRef, useState, type ReactNode} from 'react';
import {cameraChanged, microphoneChanged} from '../../app/incall';
import {listDevices, mayHear, microphoneWish, playTestSound, watchDevices, type Devices} from '../../app/devices';
import {changeSettings} from '../../app/settings';
import {canChooseSpeaker} from '../../app/sound';
import {LevelMeter, meterShare} from '../../peer/level';
import {captureCamera, captureMicrophone, stopStream} from '../../peer/media';
import {CallError, problem} from '../../peer/problems';
import {adviceOf, titleOf} from '../../state/advice';
import {useApp} from '../../state/app';
import {NO_DEVICE, useSettings, type Device} from '../../state/settings';
import {labelOf} from '../../state/shortcuts';
import {say} from '../../words/words';
import {MicIcon} from '../icons';
import {onMac} from './shortcuts';

/**
 * `inLobby`: which devices and whether they work, without what can be chosen later as well; the browser is not made to
 * ask by itself. `withCamera`: the call may be one with cameras.
 */
export function DevicePicker({inLobby = false, withCamera = true}: {inLobby?: boolean; withCamera?: boolean}): ReactNode {
    const [devices, setDevices] = useState<Devices>({microphones: [], cameras: [], speakers: []});
    const microphone = useSettings((settings) => settings.microphone);
    const speaker = useSettings((settings) => settings.speaker);
    const camera = useSettings((settings) => settings.camera);
    const cameras = useApp((state) => withCamera && (state.callsConfig?.enableVideo ?? false));
    const noiseSuppression = useSettings((settings) => settings.noiseSuppression);
    useEffect(() => {
        const look = (): void => void listDevices().then(setDevices);
        look();
        return watchDevices(look);
    }, []);
    return (
        <div className="devices">
            <Choice
                label={say('call_microphone')} testId="microphone" devices={devices.microphones} chosen={microphone} onChoose={(device) => {
                    changeSettings({microphone: device});
                    microphoneChanged();
                }}
            />
            <Meter key={`${microphone.id}-${noiseSuppression}`} asks={!inLobby} onOpen={() => void listDevices().then(setDevices)}/>
            {!inLobby && <HowItHears/>}
            {canChooseSpeaker()
                ? <Choice label={say('call_speaker')} testId="speaker" devices={devices.speakers} chosen={speaker} onChoose={(device) => changeSettings({speaker: device})}/>
                : <p className="hint">{say('call_speaker_fixed')}</p>}
            <TestSound/>
            {cameras && (
                <>
                    <Choice
                        label={say('call_camera')} testId="camera" devices={devices.cameras} chosen={camera} onChoose={(device) => {
                            changeSettings({camera: device});
                            cameraChanged();
                        }}
                    />
                    <Preview key={camera.id} deviceId={camera.id} onOpen={() => void listDevices().then(setDevices)}/>
                </>
            )}
        </div>
    );
}

/** How the microphone's sound is treated, and when it is heard. */
function HowItHears(): ReactNode {
    const noiseSuppression = useSettings((settings) => settings.noiseSuppression);
    const hearMuted = useSettings((settings) => settings.hearMuted);
    const pushToTalk = useSettings((settings) => settings.pushToTalk);
    const talkKey = useSettings((settings) => settings.keys.mute);
    return (
        <>
            <Switch testId="noise-suppression" on={noiseSuppression} label={say('call_noise')} hint={say('call_noise_hint')} onChange={(on) => {
                changeSettings({noiseSuppression: on});
                microphoneChanged();
            }}/>
            <Switch testId="hear-muted" on={hearMuted} label={say('call_hear_muted')} hint={say('call_hear_muted_hint')} onChange={(on) => {
                changeSettings({hearMuted: on});
                microphoneChanged();
            }}/>
            <Switch testId="push-to-talk" on={pushToTalk} label={say('call_talk')} onChange={(on) => changeSettings({pushToTalk: on})}
                hint={talkKey === '' ? say('call_talk_no_key') : say('call_talk_hint', {key: labelOf(talkKey, onMac())})}/>
        </>
    );
}

interface ChoiceProps {
    label: string;
    testId: string;
    devices: readonly Device[];
    chosen: Device;
    onChoose: (device: Device) => void;
}

function Choice({label, testId, devices, chosen, onChoose}: ChoiceProps): ReactNode {
    const missing = chosen.id !== '' && !devices.some(({id}) => id === chosen.id);
    return (
        <label className="field">
            <span>{label}</span>
            <select
                value={chosen.id} data-testid={testId}
                onChange={(event) => onChoose(devices.find(({id}) => id === event.target.value) ?? NO_DEVICE)}
            >
                <option value="">{say('call_device_default')}</option>
                {devices.map(({id, label: name}, at) => <option key={id} value={id}>{name || say('call_device_unnamed', {number: at + 1})}</option>)}
                {missing && <option value={chosen.id}>{say('call_device_missing', {name: chosen.label})}</option>}
            </select>
        </label>
    );
}

function Switch({testId, on, label, hint, onChange}: {testId: string; on: boolean; label: string; hint: string; onChange: (on: boolean) => void}): ReactNode {
    return (
        <div className="switch">
            <label className="check">
                <input type="checkbox" checked={on} data-testid={testId} aria-describedby={`${testId}-hint`} onChange={(event) => onChange(event.target.checked)}/>
                <span>{label}</span>
            </label>
            <p className="hint" id={`${testId}-hint`}>{hint}</p>
        </div>
    );
}

/** Opens the microphone by itself where the browser need not ask, else on demand if it is not to ask. Nobody hears it. */
function Meter({asks, onOpen}: {asks: boolean; onOpen: () => void}): ReactNode {
    const [wanted, setWanted] = useState(asks);
    const [share, setShare] = useState(0);
    const [trouble, setTrouble] = useState('');
    useEffect(() => {
        let over = false;
        if (!wanted) {
            void mayHear().then((may) => may && !over && setWanted(true));
            return () => {
                over = true;
            };
        }
        let meter: LevelMeter | null = null;
        let stream: MediaStream | null = null;
        captureMicrophone(microphoneWish()).then((microphone) => {
            stream = microphone.stream;
            if (over) {
                stopStream(stream);
                return;
            }
            onOpen();
            meter = new LevelMeter(stream, (level) => setShare(meterShare(level)));
        }).catch((error: unknown) => {
            if (!over) {
                const trouble = error instanceof CallError ? error.problem : problem('microphone-busy');
                setTrouble(`${titleOf(trouble)} ${adviceOf(trouble)}`);
            }
        });
        return () => {
            over = true;
            meter?.stop();
            stopStream(stream);
        };
        // Opened once for each microphone: the key of this component is the choice.
    }, [wanted]);
    if (!wanted) {
        return <button type="button" data-testid="lobby-test" onClick={() => setWanted(true)}><MicIcon/>{say('bar_lobby_test')}</button>;
    }
    if (trouble !== '') {
        return <p className="refusal" role="alert">{trouble}</p>;
    }
    const percent = Math.round(share * 100);
    return (
        <div className="level">
            <span className="hint">{say('call_level')}</span>
            <div className="level-bar" role="meter" aria-label={say('call_level')} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} data-testid="level" data-level={percent}>
                <span style={{inlineSize: `${percent}%`}}/>
            </div>
        </div>
    );
}

/** Opened on demand: a camera's light says that somebody looks. */
function Preview({deviceId, onOpen}: {deviceId: string; onOpen: () => void}): ReactNode {
    const [wanted, setWanted] = useState(false);
    const [trouble, setTrouble] = useState('');
    const video = useRef<HTMLVideoElement>(null);
    useEffect(() => {
        if (!wanted) {
            return undefined;
        }
        let over = false;
        let stream: MediaStream | null = null;
        captureCamera(deviceId).then((camera) => {
            stream = camera.stream;
            if (over) {
                stopStream(stream);
                return;
            }
            onOpen();
            if (video.current) {
                video.current.srcObject = stream;
            }
        }).catch((error: unknown) => {
            if (!over) {
                const found = error instanceof CallError ? error.problem : problem('camera-busy');
                setTrouble(`${titleOf(found)} ${adviceOf(found)}`);
                setWanted(false);
            }
        });
        return () => {
            over = true;
            stopStream(stream);
        };
    }, [wanted]);
    return (
        <div className="preview">
            {wanted && <video ref={video} autoPlay muted playsInline data-testid="camera-preview" aria-label={say('call_camera_own')}/>}
            {trouble !== '' && <p className="refusal" role="alert">{trouble}</p>}
            <button type="button" data-testid="test-camera" aria-pressed={wanted} onClick={() => {
                setTrouble('');
                setWanted(!wanted);
            }}>{wanted ? say('call_camera_preview_end') : say('call_camera_preview')}</button>
            <p className="hint">{say('call_camera_hint')}</p>
        </div>
    );
}

function TestSound(): ReactNode {
    const [playing, setPlaying] = useState(false);
    const play = (): void => {
        setPlaying(true);
        void playTestSound().catch(() => undefined).finally(() => setPlaying(false));
    };
    return <button type="button" data-testid="test-sound" data-playing={playing} disabled={playing} onClick={play}>{playing ? say('call_test_playing') : say('call_test')}</button>;
}
