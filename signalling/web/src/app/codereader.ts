/** The worker that reads code: one block at a time, begun when it says that it is there. `codecolours.ts` asks it. */
import {read, type CodePiece} from '../state/grammars';

export interface Block {
    code: string;
    language: string;
}

/** First that it is there, then one answer for each block. */
export type Answer = 'there' | readonly CodePiece[] | null;

self.onmessage = ({data: {code, language}}: MessageEvent<Block>) => self.postMessage(read(code, language) satisfies Answer);
self.postMessage('there' satisfies Answer);
