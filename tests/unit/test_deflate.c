/* permessage-deflate: what is negotiated, what a client may send deflated, and that an event is deflated once for all
 * who want it and reaches the others as it is. */
#include "gateway/connection/ws_events.h"
#include "gateway/connection/ws_extension.h"
#include "gateway/connection/ws_inflate.h"
#include "tests/unit/unit.h"
#include "tests/unit/worker_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define MAX_MESSAGE 65536

static void set_up(void) {
    options = (struct options){.auto_join_rooms = "prices",
                               .ws_max_queue_bytes = 262144,
                               .worker_queue_bytes = 256 << 20,
                               .ws_max_message_bytes = MAX_MESSAGE,
                               .ws_ping_interval = 30000,
                               .ws_deflate = true};
    worker_open(4096);
    ck_assert_int_eq(ws_inflate_new(MAX_MESSAGE, &worker.inflate), 0);
}

static void tear_down(void) {
    ws_inflate_free(worker.inflate);
    worker_close();
}

static struct conn *open_conn(const char *user, bool deflate) {
    struct conn *conn = worker_connect(user, -1);
    conn->flags |= deflate ? CONN_DEFLATE : 0;
    ck_assert_int_eq(conn_join(&worker, conn, SPAN_LITERAL("prices")), 1);
    return conn;
}

/* --- the offers --- */

/* What the 101 says, "" for nothing. */
static const char *answer_to(const char *offers) {
    struct http_request request = {.header_count = 1};
    request.headers[0] =
        (struct http_header){SPAN_LITERAL("Sec-WebSocket-Extensions"), span_of(offers)};
    const char *answer = ws_extension_answer(&request);
    return answer != NULL ? answer : "";
}

#define TAKEN "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define NOT   ""

START_TEST(offers_are_taken_as_rfc_7692_says) {
    static const struct {
        const char *offers;
        const char *answer;
    } rows[] = {
        {"permessage-deflate", TAKEN},
        {"permessage-deflate; client_max_window_bits", TAKEN}, /* browsers and npm ws */
        {"permessage-deflate;client_max_window_bits=15;server_max_window_bits=15",
         TAKEN "; server_max_window_bits=15"},
        {"permessage-deflate; server_max_window_bits=\"15\"", TAKEN "; server_max_window_bits=15"},
        {"permessage-deflate; server_max_window_bits=12, permessage-deflate; "
         "server_max_window_bits=15",
         TAKEN "; server_max_window_bits=15"},
        {"permessage-deflate; client_max_window_bits=\"8\"", TAKEN},
        {"Permessage-Deflate; Server_No_Context_Takeover ; client_no_context_takeover", TAKEN},
        {"x-webkit-deflate-frame, permessage-deflate", TAKEN},
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate",
         TAKEN}, /* the second */
        {"permessage-deflate; server_max_window_bits=10", NOT},
        {"permessage-deflate; server_max_window_bits", NOT},
        {"permessage-deflate; client_max_window_bits=7", NOT},
        {"permessage-deflate; client_max_window_bits=16", NOT},
        {"permessage-deflate; client_max_window_bits=08", NOT},
        {"permessage-deflate; client_max_window_bits=", NOT},
        {"permessage-deflate; server_no_context_takeover=1", NOT},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", NOT},
        {"permessage-deflate; something", NOT},
        {"permessage-deflate;;client_max_window_bits", NOT},
        {"permessage-deflate; server_no_context_takeover; ;", NOT},
        {"permessage-deflate;=1", NOT},
        {"permessage-deflate2", NOT},
        {"permessage-bzip2", NOT},
        {"", NOT},
        {",,;;==", NOT},
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert_str_eq(answer_to(rows[i].offers), rows[i].answer);
    }
    struct http_request none = {0};
    ck_assert_ptr_null(ws_extension_answer(&none));
}
END_TEST

/* --- towards clients --- */

static const struct record *record_of(const char *envelope) {
    static _Alignas(8) unsigned char bytes[4096];
    struct record *record = (struct record *)bytes;
    memset(bytes, 0, sizeof bytes);
    uint32_t at = (uint32_t)(sizeof *record + sizeof(struct record_room));
    struct span key = SPAN_LITERAL("prices");
    record->rooms[0] =
        (struct record_room){.hash = room_name_hash(&worker.view.segment.header->hash_key, key),
                             .name_at = at,
                             .name_length = (uint16_t)key.length};
    memcpy(bytes + at, key.data, key.length);
    record->kind = RECORD_EVENT;
    record->room_count = 1;
    record->envelope_at = at + (uint32_t)key.length;
    record->envelope_length = (uint32_t)strlen(envelope);
    memcpy(bytes + record->envelope_at, envelope, strlen(envelope));
    record->length = (record->envelope_at + record->envelope_length + 7) & ~7u;
    ck_assert(record_valid(record, sizeof bytes));
    return record;
}

static const char *price(int i) {
    static char text[512];
    snprintf(text, sizeof text,
             "{\"id\":\"price.updates:0:%d\",\"type\":\"price_update\",\"timestamp\":1700000000000,"
             "\"data\":{\"token\":"
             "\"ETH\",\"chainId\":1,\"price\":\"2150.45\",\"priceUsd\":2150.45,\"change24h\":-1.5,"
             "\"volume24h\":1000000,"
             "\"timestamp\":1700000000000}}",
             i);
    return text;
}

/* The frames in the queue, inflated where RSV1 says so, one a line. */
static const char *heard(const struct conn *conn, unsigned *pieces, bool *deflated) {
    static char text[65536];
    struct iovec iov[16];
    char *out = text;
    *pieces = outq_gather(&worker.fanout->queues, &conn->queue, iov, 16);
    *deflated = false;
    for (unsigned i = 0; i < *pieces; i++) {
        const unsigned char *at = iov[i].iov_base, *end = at + iov[i].iov_len;
        while (at < end) {
            uint32_t length = frame_length_at(at);
            unsigned header = (at[1] & 0x7f) == 126 ? 4 : 2;
            struct span payload = {(const char *)at + header, length - header};
            if (at[0] & 0x40) {
                *deflated = true;
                ck_assert_int_eq(ws_inflate_message(worker.inflate, payload, &payload), 0);
            }
            memcpy(out, payload.data, payload.length);
            out += payload.length;
            *out++ = '\n';
            at += length;
        }
    }
    *out = '\0';
    return text;
}

START_TEST(an_event_is_deflated_once_and_plain_for_the_others) {
    struct conn *listeners[] = {open_conn("a", true), open_conn("b", false), open_conn("c", true),
                                open_conn("d", false)};
    char expected[4096] = "";
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(fanout_record(&worker, record_of(price(i))), 4);
        strcat(strcat(expected, price(i)), "\n");
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned pieces;
        bool deflated;
        ck_assert_str_eq(heard(listeners[i], &pieces, &deflated), expected);
        ck_assert_int_eq(deflated, i % 2 == 0);
        ck_assert_uint_eq(pieces, 1); /* both kinds stay neighbours */
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_FRAMES_DEFLATED), 5);
    ck_assert_uint_lt(listeners[0]->queue.bytes, listeners[1]->queue.bytes);
}
END_TEST

START_TEST(what_deflating_does_not_shorten_goes_out_as_it_is) {
    struct conn *conn = open_conn("a", true);
    char noise[601];
    srand(1);
    for (int i = 0; i < 600; i++) {
        noise[i] = (char)(33 + rand() % 90);
    }
    noise[600] = '\0';
    unsigned pieces;
    bool deflated;
    char expected[1024];
    ck_assert_int_eq(fanout_record(&worker, record_of("{\"short\":1}")), 1);
    snprintf(expected, sizeof expected, "{\"short\":1}\n");
    ck_assert_str_eq(heard(conn, &pieces, &deflated), expected);
    ck_assert(!deflated);
    ck_assert_int_eq(fanout_record(&worker, record_of(noise)), 1);
    snprintf(expected, sizeof expected, "{\"short\":1}\n%s\n", noise);
    ck_assert_str_eq(heard(conn, &pieces, &deflated), expected);
}
END_TEST

/* --- from clients --- */

static size_t deflate_text(const void *text, size_t length, unsigned char *out, size_t size) {
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)text;
    stream.avail_in = (uInt)length;
    stream.next_out = out;
    stream.avail_out = (uInt)size;
    ck_assert_int_eq(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
    size_t made = size - stream.avail_out - 4;
    deflateEnd(&stream);
    return made;
}

static void say(struct conn *conn, uint8_t first, const void *payload, size_t length) {
    static unsigned char frame[1 << 17];
    size_t at = 2;
    frame[0] = first;
    if (length < 126) {
        frame[1] = (unsigned char)(0x80 | length);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (unsigned char)(length >> 8);
        frame[3] = (unsigned char)length;
        at = 4;
    }
    memset(frame + at, 0, 4); /* a mask of zeros */
    memcpy(frame + at + 4, payload, length);
    ws_events_feed(&worker, conn, frame, at + 4 + length);
}

/* What stands in the queue: "pong", "error", or the code of a Close. */
static const char *answer(const struct conn *conn) {
    static char text[32];
    struct iovec iov[1];
    if (outq_gather(&worker.fanout->queues, &conn->queue, iov, 1) == 0) {
        return "";
    }
    const unsigned char *bytes = iov[0].iov_base;
    if (bytes[0] == 0x88) {
        snprintf(text, sizeof text, "%u", (unsigned)bytes[2] << 8 | bytes[3]);
        return text;
    }
    return memmem(bytes, iov[0].iov_len, "\"pong\"", 6) != NULL ? "pong" : "error";
}

START_TEST(a_deflated_message_is_read_like_a_plain_one) {
    static const char ping[] =
        "{\"type\":\"ping\",\"data\":{\"x\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}";
    unsigned char deflated[256];
    size_t length = deflate_text(ping, sizeof ping - 1, deflated, sizeof deflated);
    for (size_t cut = 0; cut <= length;
         cut++) { /* in one frame, and in two with RSV1 on the first */
        struct conn *conn = open_conn("a", true);
        if (cut == 0) {
            say(conn, 0xc1, deflated, length);
        } else {
            say(conn, 0x41, deflated, cut);
            say(conn, 0x80, deflated + cut, length - cut);
        }
        ck_assert_str_eq(answer(conn), "pong");
        outq_clear(&worker.fanout->queues, &conn->queue);
        say(conn, 0x81, ping, sizeof ping - 1); /* a plain one may follow */
        ck_assert_str_eq(answer(conn), "pong");
        conn_kill(&worker, conn);
        conn_reap(&worker);
    }
}
END_TEST

START_TEST(rsv1_without_the_extension_or_out_of_place_is_a_protocol_error) {
    static const struct {
        bool negotiated;
        uint8_t first, second;
    } rows[] = {
        {false, 0xc1, 0}, {true, 0xc9, 0}, {true, 0x01, 0xc0}, {true, 0xa1, 0}, {true, 0x91, 0}};
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct conn *conn = open_conn("a", rows[i].negotiated);
        say(conn, rows[i].first, "x", 1);
        if (rows[i].second != 0) {
            say(conn, rows[i].second, "x", 1);
        }
        ck_assert_str_eq(answer(conn), "1002");
    }
}
END_TEST

START_TEST(a_bomb_is_stopped_at_the_limit) {
    static char zeros[16 << 20];
    static unsigned char deflated[1 << 16];
    size_t length = deflate_text(zeros, sizeof zeros, deflated, sizeof deflated);
    ck_assert_uint_lt(length, MAX_MESSAGE);
    struct conn *conn = open_conn("a", true);
    say(conn, 0xc1, deflated, length);
    ck_assert_str_eq(answer(conn), "1009");
}
END_TEST

START_TEST(the_longest_message_just_fits) {
    static char text[MAX_MESSAGE + 1];
    static unsigned char deflated[4096];
    memset(text, ' ', sizeof text);
    for (size_t length = MAX_MESSAGE; length <= MAX_MESSAGE + 1; length++) {
        struct conn *conn = open_conn("a", true);
        size_t made = deflate_text(text, length, deflated, sizeof deflated);
        say(conn, 0xc1, deflated, made);
        ck_assert_str_eq(answer(conn), length == MAX_MESSAGE ? "error" : "1009");
    }
}
END_TEST

START_TEST(garbage_and_bad_utf8_close_with_1007) {
    unsigned char deflated[64];
    size_t length = deflate_text("\"\xff\xfe\"", 4, deflated, sizeof deflated);
    struct conn *bad_utf8 = open_conn("a", true), *garbage = open_conn("b", true);
    say(bad_utf8, 0xc1, deflated, length);
    ck_assert_str_eq(answer(bad_utf8), "1007");
    say(garbage, 0xc1, "\xff\xff\xff\xff\xff\xff", 6);
    ck_assert_str_eq(answer(garbage), "1007");
}
END_TEST

START_TEST(any_bytes_inflate_or_fail_and_never_more_than_the_limit) {
    srand(3);
    for (int round = 0; round < 20000; round++) {
        char bytes[64];
        size_t length = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (char)rand();
        }
        struct span out = {0};
        if (ws_inflate_message(worker.inflate, (struct span){bytes, length}, &out) == 0) {
            ck_assert_uint_le(out.length, MAX_MESSAGE);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("deflate");
    TCase *tests = tcase_create("deflate");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, offers_are_taken_as_rfc_7692_says);
    tcase_add_test(tests, an_event_is_deflated_once_and_plain_for_the_others);
    tcase_add_test(tests, what_deflating_does_not_shorten_goes_out_as_it_is);
    tcase_add_test(tests, a_deflated_message_is_read_like_a_plain_one);
    tcase_add_test(tests, rsv1_without_the_extension_or_out_of_place_is_a_protocol_error);
    tcase_add_test(tests, a_bomb_is_stopped_at_the_limit);
    tcase_add_test(tests, the_longest_message_just_fits);
    tcase_add_test(tests, garbage_and_bad_utf8_close_with_1007);
    tcase_add_test(tests, any_bytes_inflate_or_fail_and_never_more_than_the_limit);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
