/* Shared frames: the finished bytes of a WebSocket frame (header and payload contiguous, unmasked, so every
 * socket gets the same) or of an HTTP answer, made once and referenced by any number of queues.
 *
 * Frames lie one behind the other in blocks of 32 KiB (a longer one gets a block of its own), so that frames
 * queued one after the other to the same connection are neighbours and go out as one piece. References are
 * counted per block, not per frame; a block whose last reference goes is used again.
 *
 *   frame_make()  ->  piece {block, at, length}: good until the next frame is made
 *   frame_ref()       keeps the piece's block until frame_unref(), once for each queue entry
 *
 * One worker owns one arena. */
#ifndef MOONX_GATEWAY_DELIVERY_FRAME_H
#define MOONX_GATEWAY_DELIVERY_FRAME_H

#include "common/base.h"

#include <wslay/wslay.h>

#define FRAME_BLOCK_BYTES  32768u
#define FRAME_SPARE_BLOCKS 64u

struct frame_piece {
    uint32_t block; /* 0: none */
    uint32_t at;
    uint32_t length;
};

struct frame_block {
    uint32_t refs; /* pieces in queues; the open block has one more */
    uint32_t size;
    uint32_t used;
    unsigned char bytes[];
};

struct frame_arena {
    struct frame_block **blocks; /* by index, from 1 */
    uint32_t *free_indices;      /* indices without a block */
    uint32_t free_count, block_count, block_capacity;
    struct frame_block *spare[FRAME_SPARE_BLOCKS];
    uint32_t spare_count;
    /* Blocks being filled, 0: none. Plain and deflated frames lie apart, so that those of one connection stay
     * neighbours; those of snapshots, which stay for long, would keep the others' blocks. */
    uint32_t open_plain, open_deflated, open_snapshot;
    uint32_t *open; /* the one that is written to now */
    uint64_t bytes; /* memory of all blocks in use */
    wslay_frame_context_ptr framer;
};

/* No block yet. -ENOMEM. */
int frame_arena_init(struct frame_arena *arena) MUST_CHECK;
void frame_arena_done(struct frame_arena *arena);

/* One unfragmented frame: WSLAY_TEXT_FRAME, WSLAY_PING … -ENOMEM, -EMSGSIZE past 1 GiB. */
int frame_make(struct frame_arena *arena, uint8_t opcode, struct span payload,
               struct frame_piece *out) MUST_CHECK;
/* A text frame of a payload that has been deflated (RSV1). */
int frame_make_deflated(struct frame_arena *arena, struct span payload,
                        struct frame_piece *out) MUST_CHECK;
/* A text frame that stays (snapshot.h), and a copy of one. */
int frame_make_snapshot(struct frame_arena *arena, struct span payload,
                        struct frame_piece *out) MUST_CHECK;
int frame_move_snapshot(struct frame_arena *arena, struct frame_piece from,
                        struct frame_piece *out) MUST_CHECK;
/* The bytes as they are (HTTP): ASCII, never merged with what follows. */
int frame_raw(struct frame_arena *arena, struct span bytes, struct frame_piece *out) MUST_CHECK;

static inline void frame_ref(struct frame_arena *arena, uint32_t block) {
    arena->blocks[block]->refs++;
}
void frame_unref(struct frame_arena *arena, uint32_t block);

static inline const unsigned char *frame_bytes(const struct frame_arena *arena,
                                               struct frame_piece piece) {
    return arena->blocks[piece.block]->bytes + piece.at;
}

/* What a piece begins with: a frame (FIN is always set here), or else HTTP's ASCII. */
static inline bool frame_begins_at(const unsigned char *bytes) {
    return (bytes[0] & 0x80u) != 0;
}

/* Whole length (header and payload) of the server frame that starts at `bytes`. */
uint32_t frame_length_at(const unsigned char *bytes);

#endif
