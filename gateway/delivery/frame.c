#include "gateway/delivery/frame.h"

#include <stdlib.h>

#define FRAME_HEADER_MAX  10u
#define FRAME_PAYLOAD_MAX (1u << 30)

/* wslay writes a frame in two calls (header, payload); both append to the open block. */
static ssize_t append_to_open(const uint8_t *data, size_t length, int flags, void *user_data) {
    (void)flags;
    struct frame_arena *arena = user_data;
    struct frame_block *block = arena->blocks[*arena->open];
    memcpy(block->bytes + block->used, data, length);
    block->used += (uint32_t)length;
    return (ssize_t)length;
}

int frame_arena_init(struct frame_arena *arena) {
    *arena = (struct frame_arena){0};
    static const struct wslay_frame_callbacks callbacks = {.send_callback = append_to_open};
    return wslay_frame_context_init(&arena->framer, &callbacks, arena) == 0 ? 0 : -ENOMEM;
}

void frame_arena_done(struct frame_arena *arena) {
    for (uint32_t i = 1; i < arena->block_count; i++) {
        free(arena->blocks[i]);
    }
    for (uint32_t i = 0; i < arena->spare_count; i++) {
        free(arena->spare[i]);
    }
    free(arena->blocks);
    free(arena->free_indices);
    if (arena->framer != NULL) {
        wslay_frame_context_free(arena->framer);
    }
    *arena = (struct frame_arena){0};
}

static bool grow_index(struct frame_arena *arena) {
    uint32_t capacity = arena->block_capacity == 0 ? 64 : arena->block_capacity * 2;
    struct frame_block **blocks = realloc(arena->blocks, capacity * sizeof(struct frame_block *));
    if (blocks == NULL) {
        return false;
    }
    arena->blocks = blocks;
    uint32_t *indices = realloc(arena->free_indices, capacity * sizeof *indices);
    if (indices == NULL) {
        return false;
    }
    arena->free_indices = indices;
    arena->block_capacity = capacity;
    return true;
}

static struct frame_block *take_block(struct frame_arena *arena, uint32_t size) {
    if (size == FRAME_BLOCK_BYTES && arena->spare_count > 0) {
        return arena->spare[--arena->spare_count];
    }
    struct frame_block *block = malloc(sizeof *block + size);
    if (block != NULL) {
        block->size = size;
    }
    return block;
}

static void release_block(struct frame_arena *arena, uint32_t index) {
    struct frame_block *block = arena->blocks[index];
    arena->bytes -= block->size;
    arena->blocks[index] = NULL;
    arena->free_indices[arena->free_count++] = index;
    if (block->size == FRAME_BLOCK_BYTES && arena->spare_count < FRAME_SPARE_BLOCKS) {
        arena->spare[arena->spare_count++] = block;
    } else {
        free(block);
    }
}

void frame_unref(struct frame_arena *arena, uint32_t block) {
    if (--arena->blocks[block]->refs == 0) {
        release_block(arena, block);
    }
}

static int open_block(struct frame_arena *arena, uint32_t size) {
    if (arena->free_count == 0 && arena->block_count + 1 >= arena->block_capacity &&
        !grow_index(arena)) {
        return -ENOMEM;
    }
    struct frame_block *block = take_block(arena, size);
    if (block == NULL) {
        return -ENOMEM;
    }
    if (*arena->open != 0) {
        frame_unref(arena, *arena->open);
    }
    if (arena->block_count == 0) {
        arena->block_count = 1; /* index 0 means none */
        arena->blocks[0] = NULL;
    }
    uint32_t index =
        arena->free_count > 0 ? arena->free_indices[--arena->free_count] : arena->block_count++;
    block->refs = 1;
    block->used = 0;
    arena->blocks[index] = block;
    arena->bytes += block->size;
    *arena->open = index;
    return 0;
}

/* Makes room for `length` contiguous bytes in the open block. */
static int make_room(struct frame_arena *arena, uint32_t *open, size_t length) {
    arena->open = open;
    struct frame_block *block = *arena->open != 0 ? arena->blocks[*arena->open] : NULL;
    if (block != NULL && block->refs == 1) {
        block->used = 0; /* nobody waits for what lies there */
    }
    if (block != NULL && block->size - block->used >= length &&
        (block->size == FRAME_BLOCK_BYTES || block->used == 0)) {
        return 0;
    }
    return open_block(arena, length > FRAME_BLOCK_BYTES ? (uint32_t)length : FRAME_BLOCK_BYTES);
}

static int make(struct frame_arena *arena, uint32_t *open, const struct wslay_frame_iocb *shape,
                struct span payload, struct frame_piece *out) {
    if (payload.length > FRAME_PAYLOAD_MAX) {
        return -EMSGSIZE;
    }
    int error = make_room(arena, open, payload.length + FRAME_HEADER_MAX);
    if (error != 0) {
        return error;
    }
    struct frame_block *block = arena->blocks[*open];
    uint32_t at = block->used;
    struct wslay_frame_iocb frame = *shape;
    frame.fin = 1;
    frame.payload_length = payload.length;
    frame.data = (const uint8_t *)payload.data;
    frame.data_length = payload.length;
    if (wslay_frame_send(arena->framer, &frame) < 0) {
        block->used = at;
        return -EINVAL;
    }
    *out = (struct frame_piece){*open, at, block->used - at};
    return 0;
}

int frame_make(struct frame_arena *arena, uint8_t opcode, struct span payload,
               struct frame_piece *out) {
    const struct wslay_frame_iocb shape = {.opcode = opcode};
    return make(arena, &arena->open_plain, &shape, payload, out);
}

int frame_make_deflated(struct frame_arena *arena, struct span payload, struct frame_piece *out) {
    static const struct wslay_frame_iocb shape = {.opcode = WSLAY_TEXT_FRAME,
                                                  .rsv = WSLAY_RSV1_BIT};
    return make(arena, &arena->open_deflated, &shape, payload, out);
}

int frame_make_snapshot(struct frame_arena *arena, struct span payload, struct frame_piece *out) {
    static const struct wslay_frame_iocb shape = {.opcode = WSLAY_TEXT_FRAME};
    return make(arena, &arena->open_snapshot, &shape, payload, out);
}

int frame_move_snapshot(struct frame_arena *arena, struct frame_piece from,
                        struct frame_piece *out) {
    int error = make_room(arena, &arena->open_snapshot, from.length);
    if (error != 0) {
        return error;
    }
    *out = (struct frame_piece){arena->open_snapshot, arena->blocks[arena->open_snapshot]->used,
                                from.length};
    append_to_open(frame_bytes(arena, from), from.length, 0, arena);
    return 0;
}

int frame_raw(struct frame_arena *arena, struct span bytes, struct frame_piece *out) {
    if (bytes.length > FRAME_PAYLOAD_MAX) {
        return -EMSGSIZE;
    }
    int error = make_room(arena, &arena->open_plain, bytes.length + 1);
    if (error != 0) {
        return error;
    }
    struct frame_block *block = arena->blocks[*arena->open];
    *out = (struct frame_piece){*arena->open, block->used, (uint32_t)bytes.length};
    append_to_open((const uint8_t *)bytes.data, bytes.length, 0, arena);
    block
        ->used++; /* a gap: the frames behind it are no neighbours, so they stay pieces of their own */
    return 0;
}

uint32_t frame_length_at(const unsigned char *bytes) {
    uint32_t length = bytes[1] & 0x7fu;
    if (length < 126) {
        return 2 + length;
    }
    if (length == 126) {
        return 4 + ((uint32_t)bytes[2] << 8 | bytes[3]);
    }
    /* 64-bit form; FRAME_PAYLOAD_MAX keeps the upper half 0 */
    return 10 + ((uint32_t)bytes[6] << 24 | (uint32_t)bytes[7] << 16 | (uint32_t)bytes[8] << 8 |
                 bytes[9]);
}
