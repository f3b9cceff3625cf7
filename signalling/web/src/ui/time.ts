/** Times and durations as people read them, in the browser's language. */
import {useEffect, useState} from 'react';

/** Epoch ms now, renewed every `everyMs` while the component is shown. */
export function useNow(everyMs: number): number {
    const [now, setNow] = useState(() => Date.now());
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), everyMs);
        return () => clearInterval(timer);
    }, [everyMs]);
    return now;
}

export function clock(ms: number): string {
    return new Date(ms).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
}

export function day(ms: number, now: number): string {
    const date = new Date(ms);
    const today = new Date(now);
    if (date.toDateString() === today.toDateString()) {
        return 'Today';
    }
    const sameYear = date.getFullYear() === today.getFullYear();
    return date.toLocaleDateString([], {weekday: 'long', day: 'numeric', month: 'long', ...(sameYear ? {} : {year: 'numeric'})});
}

/** `4:05`, `1:02:03`. */
export function elapsed(ms: number): string {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (value: number): string => String(value).padStart(2, '0');
    return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `less than a minute`, `4 min`, `1 h 2 min`. */
export function duration(ms: number): string {
    const minutes = Math.round(ms / 60_000);
    if (ms < 60_000) {
        const seconds = Math.max(1, Math.round(ms / 1000));
        return `${seconds} s`;
    }
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
