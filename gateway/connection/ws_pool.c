#include "gateway/connection/ws_pool.h"

#include "gateway/connection/conn_table.h"
#include "gateway/connection/ws_events.h"

#include <stdlib.h>

struct ws_pool {
    struct ws_input *free_first;
    unsigned free_count;
    unsigned lent;
};

int ws_pool_new(struct ws_pool **out) {
    struct ws_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return -ENOMEM;
    }
    *out = pool;
    return 0;
}

static void input_free(struct ws_input *input) {
    wslay_event_context_free(input->context);
    free(input);
}

void ws_pool_free(struct ws_pool *pool) {
    if (pool == NULL) {
        return;
    }
    while (pool->free_first != NULL) {
        struct ws_input *input = pool->free_first;
        pool->free_first = input->next_free;
        input_free(input);
    }
    free(pool);
}

static struct ws_input *input_new(void) {
    struct ws_input *input = calloc(1, sizeof *input);
    if (input == NULL) {
        return NULL;
    }
    if (wslay_event_context_server_init(&input->context, &ws_events_callbacks, input) != 0) {
        free(input);
        return NULL;
    }
    return input;
}

int ws_pool_lend(struct worker *worker, struct conn *conn) {
    struct ws_pool *pool = worker->ws_pool;
    if (pool->lent >= WS_POOL_MOST_LENT) {
        return -EUSERS;
    }
    struct ws_input *input = pool->free_first;
    if (input != NULL) {
        pool->free_first = input->next_free;
        pool->free_count--;
    } else {
        input = input_new();
    }
    if (input == NULL) {
        return -ENOMEM;
    }
    /* before the first byte: wslay allocates what a header declares, up to this */
    wslay_event_config_set_max_recv_msg_length(input->context,
                                               (uint64_t)worker->options->ws_max_message_bytes);
    input->worker = worker;
    input->conn = conn;
    input->fed = input->framed = 0;
    input->deflated = false;
    wslay_event_config_set_allowed_rsv_bits(
        input->context, (conn->flags & CONN_DEFLATE) ? WSLAY_RSV1_BIT : WSLAY_RSV_NONE);
    conn->input = input;
    pool->lent++;
    return 0;
}

bool ws_pool_at_rest(const struct ws_input *input) {
    return input->fed == input->framed && input->fragments == 0 && input->failure == 0 &&
           wslay_event_get_read_enabled(input->context);
}

void ws_pool_give(struct worker *worker, struct conn *conn) {
    struct ws_pool *pool = worker->ws_pool;
    struct ws_input *input = conn->input;
    if (input == NULL) {
        return;
    }
    conn->input = NULL;
    pool->lent--;
    if (ws_pool_at_rest(input) && pool->free_count < WS_POOL_KEEP) {
        input->conn = NULL;
        input->next_free = pool->free_first;
        pool->free_first = input;
        pool->free_count++;
    } else {
        input_free(input);
    }
}
