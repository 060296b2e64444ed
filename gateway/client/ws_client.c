#include "gateway/client/ws_client.h"
#include "gateway/client/ws_connect.h"

#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

struct ws_client {
    struct ws_connect connection;
    int failure; /* -errno of the socket, 0 so far */
    wslay_event_context_ptr wslay;
    ws_client_message *message;
    void *context;
    bool in_close, close_seen; /* in a Close frame; had a whole one */
    size_t close_left, close_have;
    unsigned char close_payload[125];
    struct ws_client_closed closed;
    size_t early_at,
        early_end; /* bytes that came behind the handshake's head, not yet given to wslay */
    char early[WS_HANDSHAKE_ANSWER_MAX];
};

static int start_wslay(struct ws_client *client);

int ws_client_open(const struct ws_url *url, const struct ws_tls_trust *trust, unsigned timeout_ms,
                   ws_client_message *message, void *context, struct ws_client **out, char *error,
                   size_t error_size) {
    struct ws_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    client->message = message;
    client->context = context;
    client->connection.fd = -1;
    int result = ws_connect_open(url, trust, timeout_ms, &client->connection, error, error_size);
    if (result == 0 && (result = start_wslay(client)) != 0) {
        snprintf(error, error_size, "out of memory");
    }
    if (result != 0) {
        ws_client_free(client);
        return result;
    }
    *out = client;
    return 0;
}

void ws_client_free(struct ws_client *client) {
    if (client == NULL) {
        return;
    }
    if (client->wslay != NULL) {
        wslay_event_context_free(client->wslay);
    }
    ws_connect_close(&client->connection);
    free(client);
}

int ws_client_fd(const struct ws_client *client) {
    return client->connection.fd;
}

short ws_client_wants(const struct ws_client *client) {
    int wants = wslay_event_want_read(client->wslay) ? POLLIN : 0;
    return (short)(wants | (wslay_event_want_write(client->wslay) ? POLLOUT : 0));
}

int ws_client_turn(struct ws_client *client, struct ws_client_closed *closed) {
    int received = wslay_event_recv(client->wslay);
    int sent = client->failure == 0 ? wslay_event_send(client->wslay) : 0;
    if (client->close_seen && (client->failure != 0 || !wslay_event_want_write(client->wslay))) {
        *closed = client->closed;
        return 1;
    }
    if (client->failure != 0) {
        return client->failure;
    }
    if (received != 0 || sent != 0) {
        return -EPROTO;
    }
    bool finished = !wslay_event_want_read(client->wslay) && !wslay_event_want_write(client->wslay);
    return finished ? -EPROTO : 0;
}

int ws_client_send_text(struct ws_client *client, struct span text) {
    struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *)text.data, text.length};
    int result = wslay_event_queue_msg(client->wslay, &message);
    return result == 0 ? 0 : result == WSLAY_ERR_NOMEM ? -ENOMEM : -EPIPE;
}

int ws_client_close(struct ws_client *client, unsigned code, const char *reason) {
    size_t length = strnlen(reason, WS_CLIENT_REASON_BYTES - 2);
    int result =
        wslay_event_queue_close(client->wslay, (uint16_t)code, (const uint8_t *)reason, length);
    return result == 0 ? 0 : result == WSLAY_ERR_NOMEM ? -ENOMEM : -EPIPE;
}

static ssize_t fail(struct ws_client *client, wslay_event_context_ptr wslay, int failure) {
    bool again = failure == -EAGAIN || failure == -EINTR;
    if (!again) {
        client->failure = failure;
    }
    wslay_event_set_error(wslay, again ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *buffer, size_t size, int flags,
                       void *user) {
    (void)flags;
    struct ws_client *client = user;
    struct ws_connect *connection = &client->connection;
    size_t early = connection->early_end - connection->early_at;
    if (early > 0) {
        size_t take = early < size ? early : size;
        memcpy(buffer, connection->early + connection->early_at, take);
        connection->early_at += take;
        return (ssize_t)take;
    }
    ssize_t got = ws_connect_read(connection, buffer, size);
    return got > 0 ? got : fail(client, wslay, got == 0 ? -ECONNRESET : (int)got);
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t length, int flags,
                       void *user) {
    (void)flags;
    struct ws_client *client = user;
    ssize_t sent = ws_connect_write(&client->connection, data, length);
    return sent > 0 ? sent : fail(client, wslay, sent == 0 ? -ECONNRESET : (int)sent);
}

static int on_mask(wslay_event_context_ptr wslay, uint8_t *buffer, size_t length, void *user) {
    (void)user;
    if (RAND_bytes(buffer, (int)length) != 1) {
        wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return 0;
}

static void on_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user) {
    (void)wslay;
    struct ws_client *client = user;
    if (arg->opcode == WSLAY_TEXT_FRAME) {
        client->message(client->context, (struct span){(const char *)arg->msg, arg->msg_length});
    }
}

static void on_frame_start(wslay_event_context_ptr wslay,
                           const struct wslay_event_on_frame_recv_start_arg *arg, void *user) {
    (void)wslay;
    struct ws_client *client = user;
    client->in_close = arg->opcode == WSLAY_CONNECTION_CLOSE;
    client->close_left = client->in_close ? (size_t)arg->payload_length : 0;
    client->close_seen = client->in_close && client->close_left == 0;
    client->closed.code = client->close_seen ? WSLAY_CODE_NO_STATUS_RCVD : client->closed.code;
}

/* A Close is read here and not in on_message: wslay 1.1.1 knows no code above 1011 below 3000 and takes 1012
 * and 1013, which a gateway sends, for a breach of the protocol. */
static void on_frame_chunk(wslay_event_context_ptr wslay,
                           const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user) {
    (void)wslay;
    struct ws_client *client = user;
    if (!client->in_close || arg->data_length > client->close_left ||
        client->close_have + arg->data_length > sizeof(client->close_payload)) {
        return;
    }
    memcpy(client->close_payload + client->close_have, arg->data, arg->data_length);
    client->close_have += arg->data_length;
    client->close_left -= arg->data_length;
    if (client->close_left == 0 && client->close_have >= 2) {
        const unsigned char *payload = client->close_payload;
        client->close_seen = true;
        client->closed.code = (unsigned)payload[0] << 8 | payload[1];
        snprintf(client->closed.reason, sizeof(client->closed.reason), "%.*s",
                 (int)client->close_have - 2, (const char *)payload + 2);
    }
}

static int start_wslay(struct ws_client *client) {
    const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                    .send_callback = on_send,
                                                    .genmask_callback = on_mask,
                                                    .on_frame_recv_start_callback = on_frame_start,
                                                    .on_frame_recv_chunk_callback = on_frame_chunk,
                                                    .on_msg_recv_callback = on_message};
    client->closed.code = WSLAY_CODE_ABNORMAL_CLOSURE;
    if (wslay_event_context_client_init(&client->wslay, &callbacks, client) != 0) {
        return -ENOMEM;
    }
    wslay_event_config_set_max_recv_msg_length(client->wslay, WS_CLIENT_MAX_MESSAGE_BYTES);
    return 0;
}
