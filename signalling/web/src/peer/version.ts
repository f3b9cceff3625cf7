/** Which optional parts of the protocol a server understands, judged by the versions it reports. */

export interface ServerVersions {
    version?: string;
    rtcd_version?: string;
}

/** The signalling lock may be used: calls 1.7.0, and rtcd 1.1.0 where its version is known. */
export function supportsLock(versions: ServerVersions): boolean {
    const rtcd = versions.rtcd_version ?? '';
    return atLeast(versions.version ?? '', [1, 7, 0]) && (rtcd === '' || atLeast(rtcd, [1, 1, 0]));
}

function atLeast(version: string, wanted: readonly [number, number, number]): boolean {
    if (version === 'master' || version.startsWith('dev')) {
        return true;
    }
    const match = /^v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+.*)?$/.exec(version);
    if (!match) {
        return false;
    }
    for (const [index, minimum] of wanted.entries()) {
        const part = Number(match[index + 1]);
        if (part !== minimum) {
            return part > minimum;
        }
    }
    // Equal numbers: a pre-release comes before its release.
    return match[4] === undefined;
}
