/** Times, dates, durations and sizes as people read them, in the language of the page. */
import {useEffect, useState} from 'react';
import {currentLocale, number, say} from '../words/words';

/** Epoch ms now, renewed every `everyMs` while the component is shown. */
export function useNow(everyMs: number): number {
    const [now, setNow] = useState(() => Date.now());
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), everyMs);
        return () => clearInterval(timer);
    }, [everyMs]);
    return now;
}

/** Draws the component again when nothing else did for so long: beside what happens all the time it costs nothing. */
export function useAtLeastEvery(ms: number): void {
    const [, again] = useState(0);
    useEffect(() => {
        const timer = setTimeout(() => again((times) => times + 1), ms);
        return () => clearTimeout(timer);
    });
}

const CLOCK = {hour: '2-digit', minute: '2-digit'} as const;

export function clock(ms: number): string {
    return format(CLOCK).format(ms);
}

/** `14:02 – 14:30`; one time when it is over within its minute. */
export function clocks(from: number, to: number): string {
    return format(CLOCK).formatRange(from, Math.max(from, to));
}

export function day(ms: number, now: number): string {
    const date = new Date(ms);
    const today = new Date(now);
    if (date.toDateString() === today.toDateString()) {
        return say('time_today');
    }
    if (date.toDateString() === new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1).toDateString()) {
        return say('time_yesterday');
    }
    const sameYear = date.getFullYear() === today.getFullYear();
    return format({weekday: 'long', day: 'numeric', month: 'long', ...(sameYear ? {} : {year: 'numeric'})}).format(ms);
}

/** Day and time, for what is not from today. */
export function moment(ms: number): string {
    return format({dateStyle: 'medium', timeStyle: 'short'}).format(ms);
}

/** The time of what is from today, else day and time. */
export function lately(ms: number): string {
    return new Date(ms).toDateString() === new Date().toDateString() ? clock(ms) : moment(ms);
}

/** `4:05`, `1:02:03`, in the digits of the person's region. */
export function elapsed(ms: number): string {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (value: number): string => (value < 10 ? number(0) : '') + number(value);
    return hours > 0 ? `${number(hours)}:${two(minutes)}:${two(rest)}` : `${number(minutes)}:${two(rest)}`;
}

/** `120 kB`, `3.4 MB`. */
export function size(bytes: number): string {
    const [unit, value] = bytes < 1000 ? ['byte', bytes] as const
        : bytes < 1_000_000 ? ['kilobyte', bytes / 1000] as const
            : bytes < 1_000_000_000 ? ['megabyte', bytes / 1_000_000] as const : ['gigabyte', bytes / 1_000_000_000] as const;
    return new Intl.NumberFormat(currentLocale(), {style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: value < 10 ? 1 : 0}).format(value);
}

/** `50 %`; `share` is of 1. */
export function percent(share: number): string {
    return new Intl.NumberFormat(currentLocale(), {style: 'percent'}).format(share);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
    const key = currentLocale() + JSON.stringify(options);
    let known = formats.get(key);
    if (!known) {
        known = new Intl.DateTimeFormat(currentLocale(), options);
        formats.set(key, known);
    }
    return known;
}
