#include "gateway/delivery/outq.h"

struct node {
    uint32_t next; /* ring: the last node's next is the first */
    struct frame_piece piece;
};

void outq_pool_init(struct outq_pool *pool, struct frame_arena *arena) {
    *pool = (struct outq_pool){.arena = arena};
    slab_init(&pool->nodes, sizeof(struct node));
}

void outq_pool_done(struct outq_pool *pool) {
    slab_done(&pool->nodes);
}

static struct node *node_at(const struct outq_pool *pool, uint32_t index) {
    return slab_at(&pool->nodes, index);
}

static bool merge(struct frame_piece *last, struct frame_piece piece) {
    if (last->block != piece.block || last->at + last->length != piece.at) {
        return false;
    }
    last->length += piece.length;
    return true;
}

static int append_node(struct outq_pool *pool, struct outq *queue, struct frame_piece piece) {
    uint32_t index = slab_take(&pool->nodes);
    if (index == 0) {
        return -ENOMEM;
    }
    struct node *node = node_at(pool, index);
    node->piece = piece;
    if (queue->last == 0) {
        node->next = index;
    } else {
        struct node *last = node_at(pool, queue->last);
        node->next = last->next;
        last->next = index;
    }
    queue->last = index;
    return 0;
}

int outq_append(struct outq_pool *pool, struct outq *queue, struct frame_piece piece) {
    if (outq_empty(queue)) {
        queue->front = piece;
        queue->partial = 0;
        frame_ref(pool->arena, piece.block);
    } else {
        struct frame_piece *last =
            queue->last == 0 ? &queue->front : &node_at(pool, queue->last)->piece;
        if (!merge(last, piece)) {
            int error = append_node(pool, queue, piece);
            if (error != 0) {
                return error;
            }
            frame_ref(pool->arena, piece.block);
        }
    }
    queue->bytes += piece.length;
    pool->bytes += piece.length;
    return 0;
}

unsigned outq_gather(const struct outq_pool *pool, const struct outq *queue, struct iovec *iov,
                     unsigned most) {
    if (outq_empty(queue) || most == 0) {
        return 0;
    }
    iov[0].iov_base = (void *)(uintptr_t)frame_bytes(pool->arena, queue->front);
    iov[0].iov_len = queue->front.length;
    unsigned count = 1;
    if (queue->last == 0) {
        return count;
    }
    for (uint32_t index = node_at(pool, queue->last)->next; count < most; count++) {
        const struct node *node = node_at(pool, index);
        iov[count].iov_base = (void *)(uintptr_t)frame_bytes(pool->arena, node->piece);
        iov[count].iov_len = node->piece.length;
        if (index == queue->last) {
            return count + 1;
        }
        index = node->next;
    }
    return count;
}

/* The front piece is done with: the ring's first node becomes the front. */
static void pop_front(struct outq_pool *pool, struct outq *queue) {
    frame_unref(pool->arena, queue->front.block);
    queue->partial = 0;
    if (queue->last == 0) {
        queue->front = (struct frame_piece){0};
        return;
    }
    struct node *last = node_at(pool, queue->last);
    uint32_t first_index = last->next;
    const struct node *first = node_at(pool, first_index);
    queue->front = first->piece;
    if (first_index == queue->last) {
        queue->last = 0;
    } else {
        last->next = first->next;
    }
    slab_give(&pool->nodes, first_index);
}

/* Moves the front piece's start by `written` and works out how much of the frame there is out already. */
static void advance_front(struct outq_pool *pool, struct outq *queue, uint32_t written) {
    struct frame_piece *front = &queue->front;
    const unsigned char *frame = frame_bytes(pool->arena, *front) - queue->partial;
    uint32_t done = queue->partial + written;
    front->at += written;
    front->length -= written;
    if (frame_begins_at(
            frame)) { /* HTTP has no inner bounds: all of it that is out counts as begun */
        for (uint32_t length = frame_length_at(frame); length <= done;
             length = frame_length_at(frame)) {
            frame += length;
            done -= length;
        }
    }
    queue->partial = done;
}

void outq_consume(struct outq_pool *pool, struct outq *queue, size_t written) {
    queue->bytes -= (uint32_t)written;
    pool->bytes -= written;
    while (written > 0 && written >= queue->front.length) {
        written -= queue->front.length;
        pop_front(pool, queue);
    }
    if (written > 0) {
        advance_front(pool, queue, (uint32_t)written);
    }
}

/* How much of the front piece must still go out: the rest of a begun frame, or of HTTP. */
static uint32_t begun_rest(const struct outq_pool *pool, const struct outq *queue) {
    const unsigned char *begin = frame_bytes(pool->arena, queue->front) - queue->partial;
    return frame_begins_at(begin) ? frame_length_at(begin) - queue->partial : queue->front.length;
}

void outq_drop_unsent(struct outq_pool *pool, struct outq *queue) {
    if (outq_empty(queue) ||
        (queue->partial == 0 && frame_begins_at(frame_bytes(pool->arena, queue->front)))) {
        outq_clear(pool, queue);
        return;
    }
    struct frame_piece kept = {queue->front.block, queue->front.at, begun_rest(pool, queue)};
    uint32_t partial = queue->partial;
    frame_ref(pool->arena, kept.block);
    outq_clear(pool, queue);
    queue->front = kept; /* takes over the reference above */
    queue->partial = partial;
    queue->bytes = kept.length;
    pool->bytes += kept.length;
}

void outq_clear(struct outq_pool *pool, struct outq *queue) {
    pool->bytes -= queue->bytes;
    queue->bytes = 0;
    while (!outq_empty(queue)) {
        pop_front(pool, queue);
    }
}
