// What the documentation says about each message and each path. Their names come from the code's own tables
// (tables.c); generate.mjs fails when one of them has no entry here, or an entry has nothing in the code.
//
// A field is 'TYPE TEXT': string, integer, number, boolean, object, any, string[], or words with | between them; ! behind
// the type: always there. An example must fit its fields.

const position = {
    epoch: 'string! raised by the operator who made a topic anew',
    topics: 'object! topic: the last offset of each partition, by partition number; -1: none yet',
};

const positionExample = { epoch: '1', topics: { 'order.updates': [41, -1, 7] } };
const channelFields = {
    channel: 'string a channel or a room',
    channels: 'string[] several at once, as many as a connection may have (where that is less: 100): one answer each',
};

export const clientMessages = {
    authenticate: {
        says: 'Who the client is. Also with a new token on the same socket, before the old one ends: the user must be the same. Messages may follow at once, without waiting for the answer: where the token can\'t be judged on the spot they wait with it, at most for the time that auth_required names, and are handled in the order in which they were sent. Behind a refresh nothing waits: until its answer the old token holds, so what only the new one allows is asked for after auth_success.',
        data: {
            token: 'string! a JSON Web Token',
            channels: 'string[] channels to subscribe to at once',
            resume: 'object the position of the connection before: what was missed comes first',
        },
        example: { token: 'eyJhbGciOi…', channels: ['chat:lobby'], resume: positionExample },
        answers: ['auth_success', 'auth_failed'],
    },
    subscribe: {
        says: 'Joins the rooms of a channel. Once more is no error.',
        data: channelFields,
        example: { channel: 'prices:1:MOON' },
        answers: ['subscribed', 'error'],
    },
    unsubscribe: {
        says: 'Leaves them. After the answer nothing of those rooms comes.',
        data: channelFields,
        example: { channel: 'prices:1:MOON' },
        answers: ['unsubscribed', 'error'],
    },
    ping: {
        says: 'Is the connection alive, what time is it there, how far have I come?',
        data: {},
        example: {},
        answers: ['pong'],
    },
    resume: {
        says: 'Asks for what was missed since a position: the next message after authenticate, or the first one of a client whose token came with the handshake. Events wait for it, 0.2 s and two round trips, or until any other message of the client says that none comes. Once an event has been sent the answer is UNKNOWN_POSITION, since missed ones can no longer come before it; so a resume behind another message (subscribe, ping) is answered as long as no event has been sent, which nobody can promise. What it shall cover is named in its channels; a room joined by a message behind it counts too when its subscribed comes before resumed, else it begins where it is joined. With resume in authenticate there is no such limit.',
        data: { position: 'object! how far the client had come', channels: 'string[] channels to subscribe to first' },
        example: { position: positionExample },
        answers: ['resumed', 'error'],
    },
    get_rooms: {
        says: 'Which rooms is this connection in?',
        data: {},
        example: {},
        answers: ['rooms'],
    },
    publish: {
        says: 'An event to everybody in a room. The answer comes when Kafka has it on all in-sync replicas; the event may come before or after. Sent again with the same message id it counts once. After PUBLISH_FAILED or a close nobody knows whether Kafka has it: send it again with the same id.',
        data: {
            room: 'string! the room; the policy says who may publish',
            event: 'string! its type; none of the built-in ones',
            payload: 'object! its data, passed through untouched',
        },
        example: { room: 'chat:lobby', event: 'chat_message', payload: { text: 'Hello' } },
        answers: ['published', 'error'],
    },
    notification: {
        says: 'A notification, to oneself or, with the right to publish there, to another user.',
        data: {
            type: 'info|warning|error|success!',
            title: 'string!',
            message: 'string!',
            actionUrl: 'string',
            userId: 'string whom it is for; default: oneself',
        },
        example: { type: 'info', title: 'Hello', message: 'To myself' },
        answers: ['notification_received', 'error'],
    },
    user_action: {
        says: 'Something the user did; everybody in user_actions sees it, with the user id that the server knows.',
        data: {
            action: 'like|comment|share|follow!',
            targetId: 'string!',
            targetType: 'post|user|token!',
            metadata: 'object',
        },
        example: { action: 'like', targetId: '42', targetType: 'post' },
        answers: ['action_completed', 'error'],
    },
    presence: {
        says: 'Which of these users are online, on any host; or who is in this room. Who may join the room presence:USERID may know about the user, everybody about himself, and who may join a room who is in it. SERVICE_UNAVAILABLE while Redis is away.',
        data: { users: 'string[] 1 to 100 user ids', room: 'string instead of users' },
        example: { users: ['alice', 'bob'] },
        answers: ['presence', 'error'],
    },
    typing: {
        says: 'The user types, or has stopped: told to the room\'s other members, never stored. Those on the same host get it at once, also while Kafka is away; those on other hosts by way of Kafka, within five seconds or not at all.',
        data: { room: 'string!', isTyping: 'boolean!' },
        example: { room: 'chat:lobby', isTyping: true },
        answers: [],
    },
};

export const serverMessages = {
    auth_required: {
        says: 'The first message to a client that came without a token.',
        data: { timeout: 'integer! ms until the connection is closed', connectionId: 'string!' },
        example: { timeout: 10000, connectionId: 'c0123456789abcdef' },
    },
    auth_success: {
        says: 'The token is good.',
        data: { user: 'object! id, email (or null), roles', expiresAt: 'integer! ms since the epoch', connectionId: 'string!' },
        example: { user: { id: 'alice', email: 'alice@example.org', roles: [] }, expiresAt: 1795359600000, connectionId: 'c0123456789abcdef' },
    },
    auth_failed: {
        says: 'The token is not accepted: INVALID_TOKEN also for one with more than 100 roles or with a role of more than 64 bytes. After three refusals, and when the token of a session ends, the connection is closed with 1008.',
        data: { error: 'string!', code: 'string!' },
        example: { error: 'Token expired', code: 'TOKEN_EXPIRED' },
    },
    auto_subscribed: {
        says: 'The rooms that every authenticated connection joins by itself.',
        data: { rooms: 'string[]!', position: 'object where the connection begins' },
        example: { rooms: ['prices', 'trades', 'user:alice'], position: positionExample },
    },
    subscribed: {
        says: 'The channel\'s rooms are joined.',
        data: { channel: 'string!', rooms: 'string[]!', position: 'object' },
        example: { channel: 'orders', rooms: ['orders:alice'], position: positionExample },
    },
    unsubscribed: {
        says: 'Left. With a reason when it was the server that took the connection out: a right was revoked.',
        data: { channel: 'string!', reason: 'string' },
        example: { channel: 'orders' },
    },
    pong: {
        says: 'The answer to ping.',
        data: { serverTime: 'integer! ms since the epoch', position: 'object once authenticated, and not while catching up' },
        example: { serverTime: 1795273200000, position: positionExample },
    },
    rooms: {
        says: 'The rooms of this connection.',
        data: { rooms: 'string[]!' },
        example: { rooms: ['prices', 'user:alice'] },
    },
    resumed: {
        says: 'Whether what was missed can be had. If so, exactly those events follow, in order, then live ones; all or nothing.',
        data: { recovered: 'boolean!', count: 'integer how many follow', reason: 'TOO_OLD|UNKNOWN_POSITION' },
        example: { recovered: true, count: 12 },
    },
    published: {
        says: 'Kafka has the event.',
        data: { id: 'string! the event\'s id, topic:partition:offset' },
        example: { id: 'gateway.events:0:17' },
    },
    notification_received: {
        says: 'Kafka has the notification.',
        data: { id: 'string!', processed: 'boolean!', timestamp: 'integer!' },
        example: { id: 'notification.updates:0:17', processed: true, timestamp: 1795273200000 },
    },
    action_completed: {
        says: 'Kafka has the action.',
        data: { action: 'string!', targetId: 'string!', result: 'any!', timestamp: 'integer!' },
        example: { action: 'like', targetId: '42', result: { success: true }, timestamp: 1795273200000 },
    },
    presence: {
        says: 'Who is online; or, of a room, its users: each once, up to 256 of them in alphabetical order. The count is exact when exact is true. Else it is the sum of what the workers of all hosts have counted: who is on two of them counts twice, and a host that does not answer within 2 s is missing.',
        data: {
            online: 'object user id: whether',
            room: 'string the room that was asked about',
            count: 'integer users in the room',
            exact: 'boolean whether the count is exact and users has all of them',
            users: 'string[] their ids',
        },
        example: { online: { alice: true, bob: false } },
    },
    token_refresh_required: {
        says: 'The token ends soon: authenticate with a new one on this socket.',
        data: { expiresIn: 'integer! ms' },
        example: { expiresIn: 300000 },
    },
    reconnect: {
        says: 'This server is about to stop: come back after so long. A close with 1012 follows.',
        data: { afterMs: 'integer!', reason: 'string!' },
        example: { afterMs: 1730, reason: 'drain' },
    },
    skipped: {
        says: 'Events were passed over: CONFLATED by newer values of the same keys, LAPPED because the server was late, NO_MEMORY, or EXPIRED since Kafka no longer had them. The count is exact with CONFLATED, else an upper bound.',
        data: { count: 'integer!', reason: 'string!' },
        example: { count: 118, reason: 'LAPPED' },
    },
    error: {
        says: 'The message that ref names was refused. The connection stays, unless refusals go on and on.',
        data: { code: 'string!', message: 'string!', retryAfter: 'number s until it is worth another try' },
        example: { code: 'RATE_LIMIT_EXCEEDED', message: 'Too many messages', retryAfter: 1 },
    },
    user_status_changed: {
        says: 'A user came online, or has been gone for PRESENCE_GRACE: to those in the room presence:USERID, by his first and last connection over all hosts.',
        data: { userId: 'string!', status: 'online|offline!' },
        example: { userId: 'alice', status: 'online' },
    },
    typing: {
        says: 'Somebody in the room types, or has stopped. From the same host it comes before Kafka has it: its id is then live-…, in two parts, and moves no position.',
        data: { room: 'string!', userId: 'string!', isTyping: 'boolean!' },
        example: { room: 'chat:lobby', userId: 'alice', isTyping: true },
    },
};

// Events that come from Kafka; the value's other fields pass through untouched.
export const events = {
    price_update: {
        says: 'A price. On joining, the current value of each token comes first, with "snapshot": true.',
        data: { token: 'string!', chainId: 'any', price: 'any! its text is the producer\'s', priceUsd: 'any', change24h: 'any', volume24h: 'any', timestamp: 'any' },
        example: { token: 'MOON', chainId: 1, price: '2150.45', change24h: 1.2, timestamp: 1795273200000 },
    },
    order_update: {
        says: 'An order of the user.',
        data: { orderId: 'any!', userId: 'any!', status: 'string', tokenIn: 'string', tokenOut: 'string', amountIn: 'any', amountOut: 'any', chainId: 'any' },
        example: { orderId: 'o-1', userId: 'alice', status: 'filled', tokenIn: 'USDC', tokenOut: 'MOON', amountIn: '100', amountOut: '0.0465', chainId: 1 },
    },
    portfolio_update: {
        says: 'The user\'s portfolio.',
        data: { userId: 'any!', totalValue: 'any', tokens: 'any', chainId: 'any' },
        example: { userId: 'alice', totalValue: '1200.50', tokens: [{ token: 'MOON', balance: '0.5', valueUsd: '1075.22' }], chainId: 1 },
    },
    trade_update: {
        says: 'A trade, to everybody in trades.',
        data: { tradeId: 'any!', userId: 'any', tokenIn: 'string', tokenOut: 'string', amountIn: 'any', amountOut: 'any', txHash: 'string', chainId: 'any' },
        example: { tradeId: 't-1', userId: 'bob', tokenIn: 'USDC', tokenOut: 'MOON', amountIn: '100', amountOut: '0.0465', txHash: '0xf30c', chainId: 1 },
    },
    notification: {
        says: 'A notification: to one user, or to everybody.',
        data: { type: 'string', title: 'any!', message: 'any!', actionUrl: 'string', metadata: 'any', timestamp: 'any' },
        example: { type: 'info', title: 'Welcome', message: 'Your account is ready', timestamp: 1795273200000 },
    },
    user_action: {
        says: 'What somebody did.',
        data: { action: 'string', targetId: 'any', targetType: 'string', userId: 'any', metadata: 'any', timestamp: 'any' },
        example: { action: 'like', targetId: '42', targetType: 'post', userId: 'alice', metadata: {}, timestamp: 1795273200000 },
    },
    system_alert: {
        says: 'From the operator, to everybody.',
        data: {},
        example: { message: 'Maintenance at 22:00 UTC' },
    },
};

export const administrators = 'Administrators are addresses in ADMIN_ALLOW (loopback where it is not set) and the bearer of the token in ADMIN_TOKEN_FILE. Loopback counts for a request that no proxy has forwarded and whose Host is an address, localhost or the host\'s own name: a browser on that host may show a foreign page whose name has been made to point there. Others get 403.';

// HTTP on the same port. Who answers a path for administrators only is the code's own word.
export const paths = {
    '/': { says: 'The console.', type: 'text/html' },
    '/docs': { says: 'This documentation.', type: 'text/html' },
    '/asyncapi.json': { says: 'The messages as an AsyncAPI 3 document.', type: 'application/json' },
    '/openapi.json': { says: 'The paths as an OpenAPI 3.1 document.', type: 'application/json' },
    '/ws': { says: 'The WebSocket endpoint (RFC 6455): text messages of JSON.', responses: { 101: 'The protocol is switched', 400: 'A malformed handshake', 401: 'The token is not good', 403: 'A foreign origin, or an address that is denied', 426: 'No WebSocket handshake', 429: 'This address has too many connections', 503: 'Full, draining, or the verifier is away; see Retry-After' } },
    '/health': { says: 'Is the service healthy? 200 when healthy or degraded.', type: 'application/json', responses: { 503: 'Unhealthy: no worker or no ingest lives' } },
    '/ready': { says: 'Are new connections welcome?', type: 'application/json', responses: { 503: 'Not yet caught up with Kafka, or draining' } },
    '/metrics': { says: 'Every counter and gauge, in Prometheus\' text format.', type: 'text/plain' },
    '/connections': { says: 'Connections in total and by worker. With `?user=ID` also that user\'s sockets; with `?limit=` or `?after=` also the rooms, as `/debug/subscriptions` gives them.', type: 'application/json', responses: { 400: 'A parameter is wrong', 503: 'Too many ask at once' } },
    '/debug/subscriptions': { says: 'Who listens to what: rooms with their listeners, in total and by worker, largest first; `?limit=`, and `?after=` with the `next` of the page before. It says which workers it covers and whether it is whole.', type: 'application/json', responses: { 400: 'A parameter is wrong', 503: 'Too many ask at once' } },
    '/instances': { says: 'The hosts with their load, least loaded first, as each has said of itself through Redis within ten seconds. complete is false when Redis is away: then it is this host alone.', type: 'application/json' },
    '/console/session': { says: 'How the console signs in; with a token in --dev only.', type: 'application/json' },
    '/debug/kafka': { says: 'Position, watermark, lag and errors of each topic-partition.', type: 'application/json' },
    '/debug/handlers': { says: 'The chains of checks and the messages.', type: 'application/json' },
    '/debug/subscriptions': { says: 'Who listens to what.', type: 'application/json' },
    '/admin/disconnect': { says: 'Closes a user\'s connections, on all hosts.', post: { userId: 'string!' }, type: 'application/json' },
    '/admin/revoke': { says: 'Revokes tokens: by user, session or time of issue, on all hosts.', post: { userId: 'string', sid: 'string', jti: 'string' }, type: 'application/json' },
    '/admin/publish': { says: 'An event from the operator.', post: { type: 'string!', room: 'string', rooms: 'string[]', data: 'object!' }, type: 'application/json' },
    '/admin/drain': { says: 'Drains this host, as SIGTERM does.', post: {}, type: 'application/json' },
    '/admin/log-level': { says: 'Sets the log level of this host\'s processes.', post: { level: 'string!' }, type: 'application/json' },
};

export const closeCodes = {
    1000: 'No need to come back.',
    1001: 'Come back when you like.',
    1002: 'A fault in the client\'s frames.',
    1003: 'Send text.',
    1007: 'Send UTF-8.',
    1008: 'Not allowed: sign in anew, or send less.',
    1009: 'Send less in one message.',
    1011: 'A fault of the server: come back with backoff.',
    1012: 'Come back; reconnect has said when.',
    1013: 'Come back later, and resume.',
};

// What is told in prose. `…` is a literal; {client-ping} a link to a message; an array in the array is a numbered list,
// an object an example.
export const chapters = {
    connecting: {
        title: 'Connecting',
        text: [
            'Open a WebSocket to `/ws`. Every message in either direction is one text frame of JSON:',
            { id: 'm-1', type: 'ping', timestamp: 1795273200000, data: {} },
            'From clients only `type` is mandatory. An answer carries `ref`, the id of the message that it answers: a string or a number of at most 128 bytes. Fields may be added to a message, never renamed or removed.',
            [
                'The server says {server-auth_required}; the client sends {client-authenticate} with its token. A token may come with the handshake instead: `Authorization: Bearer`, or where the operator allows it a cookie `token` or `?token=`.',
                'The server answers {server-auth_success}, then {server-auto_subscribed} with the rooms that were joined by themselves, then {server-subscribed} for each channel asked for.',
                'Events come. The server pings now and then; WebSocket libraries answer by themselves.',
            ],
        ],
    },
    rooms: {
        title: 'Channels and rooms',
        text: [
            'A client names a channel; the server maps it to rooms. `prices`, `trades`, `system_alerts`, `user_actions` are rooms of the same name. `orders`, `portfolio`, `user_specific` mean the caller\'s own `orders:{userId}`, `portfolio:{userId}`, `user:{userId}`; `notifications` means the room of that name and the caller\'s own `notifications:{userId}`. Finer rooms are named whole: `prices:{chainId}:{token}`, `order:{orderId}`, `chat:{id}`, and whatever the operator has added.',
            'A room\'s name has 1 to 128 bytes of `A-Za-z0-9_.:@|+=~-`. Who may join and who may publish is the operator\'s table, moonx-rooms(5).',
        ],
    },
    positions: {
        title: 'Order, positions, resume',
        text: [
            'Events of one topic-partition come in order, each at most once a connection; between topics nothing is promised. A position says how far a client has come: for each topic the last offset by partition number, -1 where there is none yet. The server gives one in `auto_subscribed`, `subscribed` and `pong`: everything up to there has been sent before that message. Each event\'s id, `topic:partition:offset`, moves one entry on.',
            'A client that comes back, to any host, sends its position with {client-authenticate} or in {client-resume}. The answer is {server-resumed}: exactly what was missed, in order, then live events; or a reason why it can\'t be had, and live events. Events of conflated routes (prices) are not replayed one by one: the newest value of each key comes. More than 262144 events, those not counted, are not replayed either: the reason is `TOO_OLD`.',
            'What is marked `"snapshot":true` is a current value: neither new nor in order, so its id moves no position. It comes when a room is joined; behind {server-resumed}, where an operator has limited a route to one value a key and interval, for values that the client may have been kept from; and when such an interval ends, with its newest value.',
            'A client that reads slowly is caught up when it reads again. It is closed with 1013 when it makes no progress, or when it has missed more than the server keeps or than 262144 events, those of conflated routes not counted; it may come back and resume.',
        ],
    },
    limits: {
        title: 'Limits',
        text: [
            'Messages are counted per user and minute, connections per address and per user, subscriptions per connection; a message has at most 64 KiB unless the operator says otherwise. Who sends too much gets `RATE_LIMIT_EXCEEDED` with `retryAfter` in seconds; who goes on and on is closed with 1008. Before the connection is opened a refusal is an HTTP status: 429 for the address\'s limit, 503 with `Retry-After` when the host is full.',
        ],
    },
};
