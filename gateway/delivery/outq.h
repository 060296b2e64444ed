/* What waits to be written to one connection: references to pieces of shared frames, in order. The first
 * piece lies in the connection itself (the usual case is one piece, since neighbouring frames merge), the
 * rest in a ring of nodes from a pool. Nothing is allocated, copied or formatted per delivery.
 *
 *   front piece: [at - partial, at) of its first frame has been written already
 *
 * One worker owns the pool and all queues. */
#ifndef MOONX_GATEWAY_DELIVERY_OUTQ_H
#define MOONX_GATEWAY_DELIVERY_OUTQ_H

#include "gateway/delivery/frame.h"
#include "gateway/delivery/slab.h"

#include <sys/uio.h>

struct outq {
    struct frame_piece front; /* block 0: the queue is empty */
    uint32_t last;            /* last node of the ring behind the front piece; 0: none */
    uint32_t bytes;           /* in all pieces */
    uint32_t partial;         /* bytes written of the frame that the front piece begins in */
};

struct outq_pool {
    struct frame_arena *arena;
    struct slab nodes;
    uint64_t bytes; /* waiting in all queues */
};

void outq_pool_init(struct outq_pool *pool, struct frame_arena *arena);
void outq_pool_done(struct outq_pool *pool);

static inline bool outq_empty(const struct outq *queue) {
    return queue->front.block == 0;
}

/* Adds a reference to the piece. -ENOMEM leaves the queue as it was. */
int outq_append(struct outq_pool *pool, struct outq *queue, struct frame_piece piece) MUST_CHECK;
/* The first pieces as an array for writing; returns how many. */
unsigned outq_gather(const struct outq_pool *pool, const struct outq *queue, struct iovec *iov,
                     unsigned most);
/* `written` bytes have gone out. */
void outq_consume(struct outq_pool *pool, struct outq *queue, size_t written);
/* Drops frames that have not been begun; what is left of a begun one stays, and so does HTTP (the 101). */
void outq_drop_unsent(struct outq_pool *pool, struct outq *queue);
void outq_clear(struct outq_pool *pool, struct outq *queue);

#endif
