/** A message as its writer meant it: Markdown, mentions, channels, emoji. Elements only, never HTML. */
import {Fragment, memo, useEffect, useMemo, useState, type ReactNode} from 'react';
import {openChannel} from '../app/channels';
import {useApp} from '../state/app';
import {displayName} from '../state/chat';
import {isGroupMention, isJumbo, ownPicture, parse, piecesOf, safeAddress, type Token, type Tokens} from '../state/markdown';
import {channelNamed, personNamed} from '../state/names';
import {say} from '../words/words';

export const Markdown = memo(function Markdown({text}: {text: string}): ReactNode {
    const tokens = useMemo(() => parse(text), [text]);
    const jumbo = useMemo(() => text.length < 80 && isJumbo(text), [text]);
    return <div className={jumbo ? 'md jumbo' : 'md'}><Blocks tokens={tokens}/></div>;
});

function Blocks({tokens}: {tokens: readonly Token[]}): ReactNode {
    return tokens.map((token, index) => <Block key={index} token={token as Tokens.Generic}/>);
}

function Block({token}: {token: Tokens.Generic}): ReactNode {
    const inner = token.tokens ?? [];
    switch (token.type) {
    case 'space':
    case 'def':
        return null;
    case 'paragraph':
        return <p dir="auto"><Spans tokens={inner}/></p>;
    case 'heading':
        return <p dir="auto" className="heading" role="heading" aria-level={Math.min(6, Number(token['depth']) + 2)}><Spans tokens={inner}/></p>;
    case 'code':
        return <Code text={String(token['text'])} info={String(token['lang'])}/>;
    case 'blockquote':
        return <blockquote dir="auto"><Blocks tokens={inner}/></blockquote>;
    case 'hr':
        return <hr/>;
    case 'list':
        return <List list={token as Tokens.List}/>;
    case 'table':
        return <Table table={token as Tokens.Table}/>;
    case 'text':
        return token.tokens ? <Spans tokens={inner}/> : <Text text={String(token['text'])}/>;
    case 'checkbox':
        return <Check checked={token['checked'] === true}/>;
    default:
        return <p dir="auto">{token.raw.trim()}</p>; // HTML and what else there may be: as it was written
    }
}

let fetched: typeof import('./CodeBlock') | null = null;

/** What there is around code, and its colours, comes with the first code; until then, and without it, the text is there. */
function Code(code: {text: string; info: string}): ReactNode {
    const [blocks, setBlocks] = useState(fetched);
    useEffect(() => {
        if (!blocks) {
            import('./CodeBlock').then((module) => setBlocks(fetched = module), () => undefined);
        }
    }, [blocks]);
    return blocks ? <blocks.CodeBlock {...code}/> : <pre dir="ltr"><code>{code.text}</code></pre>;
}

function List({list}: {list: Tokens.List}): ReactNode {
    const items = list.items.map((item, index) => (
        <li key={index} dir="auto" className={item.task ? 'task' : undefined}>
            {item.task && item.tokens[0]?.type !== 'checkbox' && !holdsCheckbox(item) && <Check checked={item.checked === true}/>}
            <Blocks tokens={item.tokens}/>
        </li>
    ));
    return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function holdsCheckbox(item: Tokens.ListItem): boolean {
    const first = item.tokens[0] as Tokens.Generic | undefined;
    return first?.tokens?.[0]?.type === 'checkbox';
}

function Check({checked}: {checked: boolean}): ReactNode {
    return <input type="checkbox" checked={checked} disabled readOnly aria-label={say(checked ? 'chat_task_done' : 'chat_task_open')}/>;
}

function Table({table}: {table: Tokens.Table}): ReactNode {
    const cell = (one: Tokens.TableCell): ReactNode => <Spans tokens={one.tokens}/>;
    return (
        <div className="table" tabIndex={0} role="region" aria-label={say('chat_table')}>
            <table>
                <thead><tr>{table.header.map((one, index) => <th key={index} dir="auto">{cell(one)}</th>)}</tr></thead>
                <tbody>
                    {table.rows.map((row, at) => <tr key={at}>{row.map((one, index) => <td key={index} dir="auto">{cell(one)}</td>)}</tr>)}
                </tbody>
            </table>
        </div>
    );
}

function Spans({tokens}: {tokens: readonly Token[]}): ReactNode {
    return tokens.map((token, index) => <Span key={index} token={token as Tokens.Generic}/>);
}

function Span({token}: {token: Tokens.Generic}): ReactNode {
    const inner = token.tokens ?? [];
    switch (token.type) {
    case 'text':
        return token.tokens ? <Spans tokens={inner}/> : <Text text={String(token['text'])}/>;
    case 'strong':
        return <strong><Spans tokens={inner}/></strong>;
    case 'em':
        return <em><Spans tokens={inner}/></em>;
    case 'del':
        return <del><Spans tokens={inner}/></del>;
    case 'codespan':
        return <code dir="ltr">{String(token['text'])}</code>;
    case 'br':
        return <br/>;
    case 'escape':
        return String(token['text']);
    case 'checkbox':
        return <Check checked={token['checked'] === true}/>;
    case 'link':
        return <Link href={String(token['href'])}><Spans tokens={inner}/></Link>;
    case 'image':
        return <Picture href={String(token['href'])} text={String(token['text'])}/>;
    default:
        return token.raw;
    }
}

/** The page fetches nothing from elsewhere: there, and where it is none that can be seen, a picture is a link to it. */
function Picture({href, text}: {href: string; text: string}): ReactNode {
    const own = ownPicture(href, location.origin);
    const [broken, setBroken] = useState(false);
    return own && !broken
        ? <a className="picture" href={own} target="_blank" rel="noopener noreferrer"><img src={own} alt={text} loading="lazy" onError={() => setBroken(true)}/></a>
        : <Link href={own ? location.origin + own : href}>{text || href}</Link>;
}

function Link({href, children}: {href: string; children: ReactNode}): ReactNode {
    const address = safeAddress(href);
    return address ? <a href={address} target="_blank" rel="noopener noreferrer nofollow">{children}</a> : <>{children}</>;
}

function Text({text}: {text: string}): ReactNode {
    return piecesOf(text).map((piece, index) => {
        switch (piece.kind) {
        case 'mention':
            return <Mention key={index} name={piece.name} text={piece.text}/>;
        case 'channel':
            return <ChannelLink key={index} name={piece.name} text={piece.text}/>;
        case 'emoji':
            return <span key={index} className="emoji-sign" role="img" aria-label={`:${piece.name}:`} title={`:${piece.name}:`}>{piece.text}</span>;
        case 'text':
            return <Fragment key={index}>{piece.text}</Fragment>;
        }
    });
}

function Mention({name, text}: {name: string; text: string}): ReactNode {
    const user = useApp((state) => personNamed(state.chat.users, name));
    const myName = useApp((state) => state.chat.me?.username);
    const group = isGroupMention(name);
    if (!user && !group) {
        return text;
    }
    return <bdi className="mention" data-me={group || name === myName} title={user ? displayName(user) : undefined}>{text}</bdi>;
}

function ChannelLink({name, text}: {name: string; text: string}): ReactNode {
    const channel = useApp((state) => channelNamed(state.chat.channels, name));
    return channel
        ? <button type="button" className="link inline" onClick={() => void openChannel(channel.id)}><bdi>~{channel.display_name || name}</bdi></button>
        : text;
}
