#include "gateway/connection/ws_events.h"

#include "common/json.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/connection/ws_inflate.h"
#include "gateway/message/message.h"

/* wslay checks the reason of a Close from the third byte of each piece on, so that what it says depends on where the
 * stream was cut; in pieces of two bytes it checks nothing, and on_close() does. Headers come in such pieces too:
 * before one is complete nobody knows what it begins. */
#define SMALL_PIECE 2u

static size_t piece_size(const struct ws_input *input) {
    if (input->frame_bytes == 0 || input->frame_is_close) {
        return SMALL_PIECE;
    }
    return (size_t)(input->framed + input->frame_bytes - input->fed);
}

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *buffer, size_t size, int flags,
                       void *user_data) {
    (void)flags;
    struct ws_input *input = user_data;
    if (input->length == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t taken = piece_size(input);
    taken = taken < size ? taken : size;
    taken = taken < input->length ? taken : input->length;
    memcpy(buffer, input->data, taken);
    input->data += taken;
    input->length -= taken;
    input->fed += taken;
    return (ssize_t)taken;
}

/* Pongs and Close frames that wslay makes by itself; ws_events_feed() looks at them when they are whole. At most
 * a header and 125 bytes at a time: take_control() empties it after each ping. */
static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *data, size_t length,
                       int flags, void *user_data) {
    (void)flags;
    struct ws_input *input = user_data;
    if (length > sizeof input->out - input->out_length) {
        wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    memcpy(input->out + input->out_length, data, length);
    input->out_length += length;
    return (ssize_t)length;
}

/* Masked, and with the shortest form of the length (wslay refuses others): so many bytes it had. */
static uint64_t frame_size(uint64_t payload) {
    return 2 + (payload < 126 ? 0u : payload < 65536 ? 2u : 8u) + 4 + payload;
}

static void fail(struct ws_input *input, unsigned code, const char *reason) {
    if (input->failure == 0) {
        input->failure = code;
        input->reason = reason;
    }
    wslay_event_shutdown_read(input->context);
}

static void on_frame_start(wslay_event_context_ptr context,
                           const struct wslay_event_on_frame_recv_start_arg *frame,
                           void *user_data) {
    (void)context;
    struct ws_input *input = user_data;
    input->frame_bytes = frame_size(frame->payload_length);
    input->frame_is_close = frame->opcode == WSLAY_CONNECTION_CLOSE;
    bool first = !wslay_is_ctrl_frame(frame->opcode) && input->fragments == 0;
    if (frame->rsv != WSLAY_RSV_NONE && !first) {
        fail(input, CLOSE_PROTOCOL_ERROR,
             ""); /* RFC 7692 section 6: only a message's first frame has RSV1 */
        return;
    }
    if (wslay_is_ctrl_frame(frame->opcode)) {
        return;
    }
    if (first) {
        input->deflated = frame->rsv != WSLAY_RSV_NONE;
    }
    if (++input->fragments > WS_MAX_FRAGMENTS) {
        fail(input, CLOSE_POLICY, "Too many fragments");
    }
}

static void on_frame_end(wslay_event_context_ptr context, void *user_data) {
    (void)context;
    struct ws_input *input = user_data;
    input->framed += input->frame_bytes;
    input->frame_bytes = 0;
}

/* wslay lets a payload of one byte pass as "no status"; for the reason see piece_size(). */
static void on_close(struct ws_input *input, const struct wslay_event_on_msg_recv_arg *message) {
    if (message->msg_length == 1) {
        fail(input, CLOSE_PROTOCOL_ERROR, "");
        return;
    }
    if (message->msg_length > 2 &&
        !json_utf8_valid((struct span){(const char *)message->msg + 2, message->msg_length - 2})) {
        fail(input, CLOSE_BAD_UTF8, "");
        return;
    }
    if (!conn_defer_close(input->worker, input->conn, message->status_code)) {
        conn_peer_closed(input->worker, input->conn, message->status_code);
    }
}

/* After our Close nothing more is said; what wslay has to say is taken out of it all the same, since the context
 * will serve another client. */
static void take_control(struct ws_input *input) {
    input->out_length = 0;
    wslay_event_send(input->context);
    if (input->conn->state == CONN_CLOSING || input->out_length < 2 ||
        (input->out[0] & 0x0f) != WSLAY_PONG) {
        return;
    }
    const char *payload = (const char *)input->out + 2;
    if (conn_queue_frame(input->worker, input->conn, WSLAY_PONG,
                         (struct span){payload, input->out_length - 2}) != 0) {
        conn_kill(input->worker, input->conn);
    }
}

static void on_text(struct ws_input *input, const struct wslay_event_on_msg_recv_arg *message) {
    const struct span text = {(const char *)message->msg, message->msg_length};
    if (input->conn->flags & CONN_DEFERS) {
        conn_defer_text(input->worker, input->conn, text, input->deflated);
        return;
    }
    unsigned code = ws_events_text(input->worker, input->conn, text, input->deflated);
    if (code != 0) {
        fail(input, code, code == CLOSE_SERVER_ERROR ? "Out of memory" : "");
    }
}

static void on_message(wslay_event_context_ptr context,
                       const struct wslay_event_on_msg_recv_arg *message, void *user_data) {
    struct ws_input *input = user_data;
    struct conn *conn = input->conn;
    if (!wslay_is_ctrl_frame(message->opcode)) {
        input->fragments = 0;
        stats_add(input->worker->stats, STAT_MESSAGES_IN, 1);
    }
    bool open = conn_is_open(conn);
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        on_close(input, message);
    } else if (message->opcode == WSLAY_PING) {
        take_control(input);
    } else if (open && message->opcode == WSLAY_TEXT_FRAME) {
        on_text(input, message);
    } else if (open && message->opcode == WSLAY_BINARY_FRAME) {
        conn_close(input->worker, conn, CLOSE_UNSUPPORTED, "Binary messages are not accepted");
    }
    if (conn->state == CONN_DEAD) {
        wslay_event_shutdown_read(context);
    }
}

const struct wslay_event_callbacks ws_events_callbacks = {
    .recv_callback = on_recv,
    .send_callback = on_send,
    .on_frame_recv_start_callback = on_frame_start,
    .on_frame_recv_end_callback = on_frame_end,
    .on_msg_recv_callback = on_message,
};

/* wslay has stopped reading by itself: the code stands in the Close frame that it wants to send; an error inside
 * a frame leaves that empty, which means a protocol error. */
static unsigned code_of_failure(struct ws_input *input) {
    input->out_length = 0;
    wslay_event_send(input->context);
    if (input->out_length >= 4 && (input->out[0] & 0x0f) == WSLAY_CONNECTION_CLOSE) {
        return (unsigned)input->out[2] << 8 | input->out[3];
    }
    return CLOSE_PROTOCOL_ERROR;
}

static void handle_failure(struct worker *worker, struct conn *conn, struct ws_input *input) {
    if (conn->state == CONN_CLOSING) {
        /* it repeats a code of ours that wslay does not know (1012, 1013), or talks rubbish: it is over anyway */
        conn_peer_closed(worker, conn, 0);
        return;
    }
    unsigned code = input->failure != 0 ? input->failure : code_of_failure(input);
    const char *reason = input->failure != 0 ? input->reason : "";
    if (code != CLOSE_POLICY && code != CLOSE_SERVER_ERROR) {
        stats_add(worker->stats, STAT_PROTOCOL_ERRORS, 1);
    }
    /* nothing that follows can be understood: answer, but don't wait for the peer's Close */
    conn->flags |= CONN_CLOSE_RECEIVED;
    conn_close(worker, conn, (enum close_code)code, reason);
}

/* True when wslay reads no further. It also returns when a piece was less than a header's field. */
static bool read_all(struct ws_input *input) {
    int result = 0;
    while (result == 0 && input->length > 0 && wslay_event_get_read_enabled(input->context)) {
        result = wslay_event_recv(input->context);
    }
    if (result == WSLAY_ERR_NOMEM) {
        fail(input, CLOSE_SERVER_ERROR, "Out of memory");
    }
    return result != 0 || !wslay_event_get_read_enabled(input->context);
}

void ws_events_feed(struct worker *worker, struct conn *conn, const unsigned char *data,
                    size_t length) {
    if (conn->input == NULL && ws_pool_lend(worker, conn) != 0) {
        conn_close(worker, conn, CLOSE_TRY_AGAIN_LATER, "Overloaded");
        return;
    }
    struct ws_input *input = conn->input;
    input->data = data;
    input->length = length;
    bool stopped = read_all(input);
    if (conn->state != CONN_DEAD && stopped &&
        (input->failure != 0 || !wslay_event_get_close_received(input->context))) {
        handle_failure(worker, conn, input);
    }
    if (ws_pool_at_rest(input) || stopped) {
        ws_pool_give(worker, conn);
    }
    ws_events_limit_time(worker, conn);
}

void ws_events_limit_time(struct worker *worker, struct conn *conn) {
    if (conn_authenticated(conn) && (conn->input != NULL) != (conn->deadline_tick != 0)) {
        conn_timers_set_deadline(worker, conn, conn->input != NULL ? CONN_MESSAGE_TIMEOUT_MS : 0);
    }
}

/* RFC 7692; wslay does not look at the UTF-8 of what it can't read. */
static unsigned inflate_text(struct worker *worker, struct span *text) {
    int error = ws_inflate_message(worker->inflate, *text, text);
    if (error == 0 && !json_utf8_valid(*text)) {
        error = -EILSEQ;
    }
    stats_add(worker->stats, STAT_MESSAGES_INFLATED, 1);
    switch (error) {
    case 0:
        return 0;
    case -EMSGSIZE:
        return CLOSE_TOO_BIG;
    case -ENOMEM:
        return CLOSE_SERVER_ERROR;
    default:
        return CLOSE_BAD_UTF8; /* "not consistent with the type of the message" */
    }
}

unsigned ws_events_text(struct worker *worker, struct conn *conn, struct span text, bool deflated) {
    unsigned code = deflated ? inflate_text(worker, &text) : 0;
    if (code == 0) {
        message_receive(worker, conn, text);
    }
    return code;
}
