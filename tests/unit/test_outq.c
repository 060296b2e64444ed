/* Frames, queues of references to them, and what short writes leave. */
#include "gateway/delivery/outq.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static struct frame_arena arena;
static struct outq_pool pool;
static struct outq queue;

static void set_up(void) {
    ck_assert_int_eq(frame_arena_init(&arena), 0);
    outq_pool_init(&pool, &arena);
    queue = (struct outq){0};
}

static void tear_down(void) {
    outq_clear(&pool, &queue);
    ck_assert_uint_eq(pool.bytes, 0);
    ck_assert_uint_eq(pool.nodes.used, 0);
    outq_pool_done(&pool);
    frame_arena_done(&arena);
}

static struct frame_piece text_frame(size_t length, char fill) {
    char *payload = malloc(length + 1);
    memset(payload, fill, length);
    struct frame_piece piece;
    ck_assert_int_eq(frame_make(&arena, WSLAY_TEXT_FRAME, (struct span){payload, length}, &piece),
                     0);
    free(payload);
    return piece;
}

static void append(struct frame_piece piece) {
    ck_assert_int_eq(outq_append(&pool, &queue, piece), 0);
}

START_TEST(a_frame_has_the_shortest_header_of_rfc_6455) {
    static const struct {
        size_t payload;
        unsigned header;
    } rows[] = {{0, 2}, {125, 2}, {126, 4}, {200, 4}, {65535, 4}, {65536, 10}, {1000000, 10}};
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct frame_piece piece = text_frame(rows[i].payload, 'x');
        const unsigned char *bytes = frame_bytes(&arena, piece);
        ck_assert_uint_eq(piece.length, rows[i].payload + rows[i].header);
        ck_assert_uint_eq(bytes[0], 0x81);
        ck_assert_uint_eq(bytes[1] & 0x80, 0);
        ck_assert_uint_eq(frame_length_at(bytes), piece.length);
        append(piece);
    }
}
END_TEST

START_TEST(two_hundred_bytes_begin_as_the_rfc_says) {
    const unsigned char *bytes = frame_bytes(&arena, text_frame(200, 'x'));
    static const unsigned char wanted[] = {0x81, 0x7e, 0x00, 0xc8, 'x'};
    ck_assert_mem_eq(bytes, wanted, sizeof wanted);
}
END_TEST

START_TEST(neighbouring_frames_go_out_as_one_piece) {
    for (int i = 0; i < 10; i++) {
        append(text_frame(300, 'a'));
    }
    struct iovec iov[8];
    ck_assert_uint_eq(outq_gather(&pool, &queue, iov, 8), 1);
    ck_assert_uint_eq(iov[0].iov_len, 10 * 304);
    ck_assert_uint_eq(queue.bytes, 10 * 304);
}
END_TEST

START_TEST(frames_with_another_between_them_stay_apart_and_in_order) {
    for (int i = 0; i < 5; i++) {
        append(text_frame(10, (char)('a' + i)));
        struct outq other = {0}; /* a frame that this connection does not get */
        struct frame_piece foreign = text_frame(10, 'X');
        ck_assert_int_eq(outq_append(&pool, &other, foreign), 0);
        outq_clear(&pool, &other);
    }
    struct iovec iov[8];
    ck_assert_uint_eq(outq_gather(&pool, &queue, iov, 8), 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(((const char *)iov[i].iov_base)[2], 'a' + i);
    }
    ck_assert_uint_eq(outq_gather(&pool, &queue, iov, 3), 3);
}
END_TEST

START_TEST(what_is_written_leaves_whatever_the_cut) {
    /* three apart pieces of two frames each; every cut must leave the same rest */
    for (size_t cut = 0; cut <= 3 * 2 * 12; cut++) {
        for (int i = 0; i < 3; i++) {
            append(text_frame(10, (char)('a' + 2 * i)));
            append(text_frame(10, (char)('b' + 2 * i)));
            (void)text_frame(10, 'X');
        }
        char all[72], rest[72];
        struct iovec iov[8];
        size_t at = 0;
        for (unsigned i = 0, n = outq_gather(&pool, &queue, iov, 8); i < n; i++) {
            memcpy(all + at, iov[i].iov_base, iov[i].iov_len);
            at += iov[i].iov_len;
        }
        ck_assert_uint_eq(at, sizeof all);
        outq_consume(&pool, &queue, cut);
        ck_assert_uint_eq(queue.partial, cut == 72 ? 0 : cut % 12);
        at = 0;
        for (unsigned i = 0, n = outq_gather(&pool, &queue, iov, 8); i < n; i++) {
            memcpy(rest + at, iov[i].iov_base, iov[i].iov_len);
            at += iov[i].iov_len;
        }
        ck_assert_uint_eq(at, 72 - cut);
        ck_assert_mem_eq(rest, all + cut, at);
        ck_assert_uint_eq(queue.bytes, at);
        outq_clear(&pool, &queue);
    }
}
END_TEST

START_TEST(dropping_keeps_the_rest_of_a_begun_frame_only) {
    for (size_t cut = 0; cut <= 36; cut++) {
        append(text_frame(10, 'a'));
        append(text_frame(10, 'b'));
        append(text_frame(10, 'c'));
        append(text_frame(10, 'd'));
        outq_consume(&pool, &queue, cut);
        outq_drop_unsent(&pool, &queue);
        ck_assert_uint_eq(queue.bytes, cut % 12 == 0 ? 0 : 12 - cut % 12);
        ck_assert_uint_eq(pool.bytes, queue.bytes);
        append(text_frame(1, 'z')); /* the Close that follows */
        struct iovec iov[4];
        unsigned pieces = outq_gather(&pool, &queue, iov, 4);
        ck_assert_int_eq(((const char *)iov[pieces - 1].iov_base)[iov[pieces - 1].iov_len - 1],
                         'z');
        outq_clear(&pool, &queue);
    }
}
END_TEST

START_TEST(an_http_answer_in_front_of_frames_is_never_taken_for_one) {
    static const char answer[] = "HTTP/1.1 101 ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\r\n\r\n";
    const size_t length = sizeof answer - 1;
    for (size_t cut = 0; cut <= length + 12; cut++) {
        struct frame_piece raw;
        ck_assert_int_eq(frame_raw(&arena, (struct span){answer, length}, &raw), 0);
        append(raw);
        append(text_frame(10, 'a'));
        append(text_frame(10, 'b'));
        outq_consume(&pool, &queue, cut);
        outq_drop_unsent(&pool, &queue);
        /* the whole answer goes out, or the rest of the frame that was begun */
        size_t frames = cut > length ? cut - length : 0;
        ck_assert_uint_eq(queue.bytes, cut < length  ? length - cut
                                       : frames % 12 ? 12 - frames % 12
                                                     : 0);
        append(text_frame(1, 'z'));
        struct iovec iov[4];
        unsigned pieces = outq_gather(&pool, &queue, iov, 4);
        if (cut < length) {
            ck_assert_uint_eq(pieces, 2);
            ck_assert_mem_eq(iov[0].iov_base, answer + cut, length - cut);
        }
        outq_clear(&pool, &queue);
    }
}
END_TEST

START_TEST(a_block_is_used_again_when_its_last_reference_goes) {
    uint64_t before = 0;
    for (int i = 0; i < 10000; i++) {
        append(text_frame(1000, 'a'));
        outq_consume(&pool, &queue, 1004);
        before = i == 10 ? arena.bytes : before;
    }
    ck_assert_uint_eq(arena.bytes, before);
    ck_assert_uint_eq(arena.bytes, FRAME_BLOCK_BYTES);
}
END_TEST

START_TEST(a_slow_queue_pins_only_its_own_blocks) {
    append(text_frame(100, 'a'));
    struct outq fast = {0};
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(outq_append(&pool, &fast, text_frame(1000, 'b')), 0);
        outq_clear(&pool, &fast);
    }
    ck_assert_uint_le(arena.bytes, 2 * FRAME_BLOCK_BYTES);
}
END_TEST

START_TEST(a_frame_longer_than_a_block_has_one_of_its_own) {
    append(text_frame(FRAME_BLOCK_BYTES * 3, 'l'));
    append(text_frame(10, 's'));
    struct iovec iov[4];
    ck_assert_uint_eq(outq_gather(&pool, &queue, iov, 4), 2);
    outq_consume(&pool, &queue, FRAME_BLOCK_BYTES * 3 + 10);
    ck_assert_uint_eq(arena.bytes, FRAME_BLOCK_BYTES);
}
END_TEST

START_TEST(a_message_past_the_limit_is_refused) {
    struct frame_piece piece;
    struct span huge = {"", (1u << 30) + 1};
    ck_assert_int_eq(frame_make(&arena, WSLAY_TEXT_FRAME, huge, &piece), -EMSGSIZE);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outq");
    TCase *tests = tcase_create("outq");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_frame_has_the_shortest_header_of_rfc_6455);
    tcase_add_test(tests, two_hundred_bytes_begin_as_the_rfc_says);
    tcase_add_test(tests, neighbouring_frames_go_out_as_one_piece);
    tcase_add_test(tests, frames_with_another_between_them_stay_apart_and_in_order);
    tcase_add_test(tests, what_is_written_leaves_whatever_the_cut);
    tcase_add_test(tests, dropping_keeps_the_rest_of_a_begun_frame_only);
    tcase_add_test(tests, an_http_answer_in_front_of_frames_is_never_taken_for_one);
    tcase_add_test(tests, a_block_is_used_again_when_its_last_reference_goes);
    tcase_add_test(tests, a_slow_queue_pins_only_its_own_blocks);
    tcase_add_test(tests, a_frame_longer_than_a_block_has_one_of_its_own);
    tcase_add_test(tests, a_message_past_the_limit_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
