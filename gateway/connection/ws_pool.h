/* wslay contexts, lent while a frame or a fragmented message is in flight: one costs 13 KB, so an
 * idle connection has none. A context goes back when the bytes fed to it are exactly the bytes of the frames
 * it has given out and no fragmented message is open. After an error it is thrown away. One worker owns the
 * pool. */
#ifndef MOONX_GATEWAY_CONNECTION_WS_POOL_H
#define MOONX_GATEWAY_CONNECTION_WS_POOL_H

#include "gateway/worker.h"

#include <wslay/wslay.h>

#define WS_POOL_KEEP 64u /* free contexts kept for the next frame */
/* Messages begun and not finished: 200 MB, and up to WS_MAX_MESSAGE_BYTES each. */
#define WS_POOL_MOST_LENT 16384u
#define WS_MAX_FRAGMENTS  1024u /* of one message */

struct ws_input {
    wslay_event_context_ptr context;
    struct worker *worker;
    struct conn *conn;
    const unsigned char *data; /* what is being fed */
    size_t length;
    uint64_t fed;         /* bytes given to wslay since it was lent */
    uint64_t framed;      /* bytes of the frames that it has finished */
    uint64_t frame_bytes; /* of the frame in flight, header included; 0: none begun */
    bool frame_is_close;
    unsigned fragments; /* of the message in flight; 0: none open */
    bool deflated;      /* the message in flight (RSV1 of its first frame) */
    unsigned failure;   /* close code that our own checks ask for, 0: none */
    const char *reason;
    unsigned char out[256]; /* control frames wslay wants to send (pong, Close) */
    size_t out_length;
    struct ws_input *next_free;
};

/* Nothing is made before it is lent for the first time. -ENOMEM. */
int ws_pool_new(struct ws_pool **out) MUST_CHECK;
void ws_pool_free(struct ws_pool *pool);

/* Lends one to the connection (conn->input). -ENOMEM; -EUSERS when too many are out. */
int ws_pool_lend(struct worker *worker, struct conn *conn) MUST_CHECK;
/* Takes it back from the connection, if it has one; kept when it is at rest, else freed. */
void ws_pool_give(struct worker *worker, struct conn *conn);
/* Nothing half read. */
bool ws_pool_at_rest(const struct ws_input *input);

#endif
