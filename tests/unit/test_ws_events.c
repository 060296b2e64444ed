/* What a WebSocket stream makes of a connection, in the order of the Autobahn suite's groups 1-7 and 10: each
 * stream whole, cut in two at every byte and byte by byte, with the same outcome. The connections have no
 * socket; what would be written stands in their queues. */
#include "gateway/connection/ws_events.h"
#include "tests/unit/unit.h"
#include "tests/unit/worker_fixture.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT   0x81
#define BINARY 0x82
#define CLOSE  0x88
#define PING   0x89
#define PONG   0x8a
#define MORE   0x80 /* the last of a fragmented message */
#define BEGIN  0x01 /* the first fragment of a text */
#define NEXT   0x00 /* one in the middle */

#define MAX_MESSAGE 65536
/* Streams up to this length are cut at every byte, longer ones near their ends and where reads end. */
#define CUT_EVERYWHERE 1200

/* One frame. Without payload: `length` times 'a'. `declared`, if there, stands for the length field: bytes as they
 * are, mask bit included. */
struct frame {
    uint8_t first;
    const char *payload;
    size_t length;
    const char *declared;
    size_t declared_length;
    bool unmasked;
};

/* The outcome: what stands in the queue, one word a frame, then the state and whether a context is lent:
 *   error:CODE     an error reply        pong:TEXT   a pong of ours (length if over 20)
 *   close:CODE     our Close (close:- without a code) */
struct row {
    const char *name;
    struct frame frames[6];
    const char *expected;
};

/* Several frames; one with a text, with so many 'a', and with a length field of our own. */
#define FRAMES(...)                                                                                \
    { __VA_ARGS__ }
#define F(byte, text)                                                                              \
    { .first = (byte), .payload = (text), .length = sizeof(text) - 1 }
#define N(byte, count)                                                                             \
    { .first = (byte), .length = (count) }
#define D(byte, text, field)                                                                       \
    {                                                                                              \
        .first = (byte), .payload = (text), .length = sizeof(text) - 1, .declared = (field),       \
        .declared_length = sizeof(field) - 1                                                       \
    }

static void set_up(void) {
    options = (struct options){.auto_join_rooms = "prices",
                               .ws_max_queue_bytes = 262144,
                               .worker_queue_bytes = 256 << 20,
                               .ws_max_message_bytes = MAX_MESSAGE,
                               .ws_ping_interval = 30000};
    worker_open(4096);
}

static struct conn *open_conn(void) {
    return worker_connect("ann", -1);
}

static void drop(struct conn *conn) {
    conn_kill(&worker, conn);
    conn_reap(&worker);
}

/* --- building streams --- */

struct stream {
    unsigned char *bytes;
    size_t length;
};

static struct stream stream;

static void put(const void *bytes, size_t length) {
    memcpy(stream.bytes + stream.length, bytes, length);
    stream.length += length;
}

static void put_length(size_t length, uint8_t mask_bit) {
    unsigned char field[9] = {0};
    size_t wide = length < 126 ? 0 : length < 65536 ? 2 : 8;
    field[0] = (unsigned char)(mask_bit | (wide == 0 ? length : wide == 2 ? 126u : 127u));
    for (size_t i = 0; i < wide; i++) {
        field[wide - i] = (unsigned char)(length >> (8 * i));
    }
    put(field, 1 + wide);
}

static void put_frame(const struct frame *frame) {
    static const unsigned char mask[4] = {0x12, 0x00, 0xfe, 0x81};
    size_t length = frame->length;
    put(&frame->first, 1);
    if (frame->declared != NULL) {
        put(frame->declared, frame->declared_length);
    } else {
        put_length(length, frame->unmasked ? 0 : 0x80);
    }
    if (!frame->unmasked) {
        put(mask, sizeof mask);
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = frame->payload != NULL ? (unsigned char)frame->payload[i] : 'a';
        byte ^= frame->unmasked ? 0 : mask[i % 4];
        put(&byte, 1);
    }
}

static bool is_frame(const struct frame *frame) {
    return frame->first != 0 || frame->payload != NULL || frame->length != 0;
}

static void build(const struct frame *frames, size_t most) {
    size_t count = 0, room = 0;
    for (; count < most && is_frame(&frames[count]); count++) {
        room += 16 + frames[count].length;
    }
    free(stream.bytes);
    stream = (struct stream){.bytes = malloc(room + 1)};
    ck_assert_ptr_nonnull(stream.bytes);
    for (size_t i = 0; i < count; i++) {
        put_frame(&frames[i]);
    }
}

/* --- reading the outcome --- */

static char outcome[65536];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...) {
    size_t used = strlen(outcome);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome + used, sizeof outcome - used, format, arguments);
    va_end(arguments);
}

static void say_text(const char *payload, size_t length) {
    const char *code = memmem(payload, length, "\"code\":\"", 8);
    if (code != NULL) {
        say("error:%.*s ", (int)strcspn(code + 8, "\""), code + 8);
    } else {
        const char *type = memmem(payload, length, "\"type\":\"", 8);
        ck_assert_ptr_nonnull(type);
        say("%.*s ", (int)strcspn(type + 8, "\""), type + 8);
    }
}

static void say_frame(const unsigned char *frame, size_t length) {
    size_t header = frame[1] == 126 ? 4 : 2; /* nothing longer than 64 KiB is queued here */
    const char *payload = (const char *)frame + header;
    size_t payload_length = length - header;
    switch (frame[0]) {
    case TEXT:
        say_text(payload, payload_length);
        break;
    case PONG:
        payload_length <= 20 ? say("pong:%.*s ", (int)payload_length, payload)
                             : say("pong:%zu ", payload_length);
        break;
    case CLOSE:
        payload_length == 0 ? say("close:- ")
                            : say("close:%u ", (unsigned)frame[2] << 8 | frame[3]);
        break;
    default:
        say("unknown:%02x ", frame[0]);
    }
}

static const char *outcome_of(const struct conn *conn) {
    static const char *const states[CONN_STATE_COUNT] = {
        [CONN_LIVE] = "live", [CONN_CLOSING] = "closing", [CONN_DEAD] = "dead"};
    struct iovec iov[256];
    unsigned pieces = outq_gather(&worker.fanout->queues, &conn->queue, iov, ARRAY_LENGTH(iov));
    outcome[0] = '\0';
    for (unsigned i = 0; i < pieces; i++) {
        const unsigned char *at = iov[i].iov_base, *end = at + iov[i].iov_len;
        for (; at < end; at += frame_length_at(at)) {
            say_frame(at, frame_length_at(at));
        }
    }
    say("%s%s", states[conn->state], conn->input != NULL ? " lent" : "");
    return outcome;
}

/* As conn_readable() does: nothing counts after Close. */
static void feed(struct conn *conn, const unsigned char *bytes, size_t length) {
    if (length > 0 && conn->state != CONN_DEAD && !(conn->flags & CONN_CLOSE_RECEIVED)) {
        ws_events_feed(&worker, conn, bytes, length);
    }
}

/* In a copy of just that size, so that the sanitizer sees a read past the end. */
static void feed_copy(struct conn *conn, const unsigned char *bytes, size_t length) {
    unsigned char *copy = malloc(length + (length == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, length);
    feed(conn, copy, length);
    free(copy);
}

static void check_cut(const struct row *row, size_t cut) {
    struct conn *conn = open_conn();
    feed_copy(conn, stream.bytes, cut);
    feed_copy(conn, stream.bytes + cut, stream.length - cut);
    const char *got = outcome_of(conn);
    ck_assert_msg(strcmp(got, row->expected) == 0, "%s, cut at %zu of %zu: %s instead of %s",
                  row->name, cut, stream.length, got, row->expected);
    drop(conn);
}

static void check_pieces(const struct row *row, size_t piece) {
    struct conn *conn = open_conn();
    for (size_t at = 0; at < stream.length; at += piece) {
        size_t length = piece < stream.length - at ? piece : stream.length - at;
        feed_copy(conn, stream.bytes + at, length);
    }
    const char *got = outcome_of(conn);
    ck_assert_msg(strcmp(got, row->expected) == 0, "%s, in pieces of %zu: %s instead of %s",
                  row->name, piece, got, row->expected);
    drop(conn);
}

static void check_row(const struct row *row) {
    build(row->frames, ARRAY_LENGTH(row->frames));
    for (size_t cut = 0; cut <= stream.length; cut++) {
        if (stream.length <= CUT_EVERYWHERE || cut < 40 || stream.length - cut < 40 ||
            (cut + 20) % 4096 < 40) {
            check_cut(row, cut);
        }
    }
    static const size_t pieces[] = {1, 2, 3, 7, 125, 4096};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        check_pieces(row, pieces[i]);
    }
}

static void check_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        check_row(&rows[i]);
    }
}

/* --- 1: framing --- */

START_TEST(texts_of_every_length_form_are_read) {
    static const struct row rows[] = {
        {"empty", FRAMES(F(TEXT, "")), "error:INVALID_JSON live"},
        {"1", FRAMES(N(TEXT, 1)), "error:INVALID_JSON live"},
        {"a message", FRAMES(F(TEXT, "{\"type\":\"ping\"}")), "pong live"},
        {"two", FRAMES(F(TEXT, "{\"type\":\"ping\"}"), F(TEXT, "x")),
         "pong error:INVALID_JSON live"},
        {"125", FRAMES(N(TEXT, 125)), "error:INVALID_JSON live"},
        {"126", FRAMES(N(TEXT, 126)), "error:INVALID_JSON live"},
        {"127", FRAMES(N(TEXT, 127)), "error:INVALID_JSON live"},
        {"128", FRAMES(N(TEXT, 128)), "error:INVALID_JSON live"},
        {"65535", FRAMES(N(TEXT, 65535)), "error:INVALID_JSON live"},
        {"65536", FRAMES(N(TEXT, 65536)), "error:INVALID_JSON live"},
        {"65537", FRAMES(N(TEXT, 65537)), "close:1009 closing"},
        {"65536 in two", FRAMES(N(BEGIN, 65535), N(MORE, 1)), "error:INVALID_JSON live"},
        {"65537 in two", FRAMES(N(BEGIN, 65535), N(MORE, 2)), "close:1009 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(binary_messages_close_with_1003) {
    static const struct row rows[] = {
        {"empty", FRAMES(F(BINARY, "")), "close:1003 closing"},
        {"one", FRAMES(F(BINARY, "\xff")), "close:1003 closing"},
        {"300", FRAMES(N(BINARY, 300)), "close:1003 closing"},
        {"fragmented", FRAMES(F(0x02, "a"), F(MORE, "b")), "close:1003 closing"},
        {"then text", FRAMES(F(BINARY, "b"), F(TEXT, "x"), F(PING, "p")), "close:1003 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(lengths_in_a_longer_form_than_needed_are_protocol_errors) {
    static const struct row rows[] = {
        {"16 bits for 5", FRAMES(D(TEXT, "hello", "\xfe\x00\x05")), "close:1002 closing"},
        {"16 bits for 125", FRAMES(D(TEXT, "hello", "\xfe\x00\x7d")), "close:1002 closing"},
        {"64 bits for 5", FRAMES(D(TEXT, "hello", "\xff\0\0\0\0\0\0\0\x05")), "close:1002 closing"},
        {"64 bits for 65535", FRAMES(D(TEXT, "hello", "\xff\0\0\0\0\0\0\xff\xff")),
         "close:1002 closing"},
        {"top bit", FRAMES(D(TEXT, "x", "\xff\x80\0\0\0\0\0\0\x05")), "close:1002 closing"},
        {"1 GiB", FRAMES(D(TEXT, "x", "\xff\0\0\0\0\x40\0\0\0")), "close:1009 closing"},
        {"2^63 - 1", FRAMES(D(TEXT, "x", "\xff\x7f\xff\xff\xff\xff\xff\xff\xff")),
         "close:1009 closing"},
        {"1 GiB after 1 byte",
         FRAMES(F(BEGIN, "x"), D(MORE, "x", "\xff\x7f\xff\xff\xff\xff\xff\xff\xff")),
         "close:1009 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(frames_without_a_mask_are_protocol_errors) {
    static const struct row rows[] = {
        {"text", FRAMES({.first = TEXT, .payload = "x", .unmasked = true}), "close:1002 closing"},
        {"ping", FRAMES({.first = PING, .payload = "x", .unmasked = true}), "close:1002 closing"},
        {"empty ping", FRAMES({.first = PING, .payload = "", .unmasked = true}),
         "close:1002 closing"},
        {"close", FRAMES({.first = CLOSE, .payload = "\x03\xe8", .unmasked = true}),
         "close:1002 closing"},
        {"continuation", FRAMES(F(BEGIN, "x"), {.first = MORE, .payload = "y", .unmasked = true}),
         "close:1002 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

/* --- 2: pings and pongs --- */

START_TEST(pings_are_answered_with_their_payload) {
    static const struct row rows[] = {
        {"empty", FRAMES(F(PING, "")), "pong: live"},
        {"text", FRAMES(F(PING, "Hello")), "pong:Hello live"},
        {"zero bytes", FRAMES(F(PING, "\0\xff\xfe"), F(PING, "x")), "pong: pong:x live"},
        {"125", FRAMES(N(PING, 125)), "pong:125 live"},
        {"126", FRAMES(N(PING, 126)), "close:1002 closing"},
        {"several", FRAMES(F(PING, "1"), F(PING, "2"), F(PING, "3"), F(PING, "4")),
         "pong:1 pong:2 pong:3 pong:4 live"},
        {"125 several", FRAMES(N(PING, 125), N(PING, 124), N(PING, 125), F(PING, "x")),
         "pong:125 pong:124 pong:125 pong:x live"},
        {"fragmented", FRAMES(F(0x09, "x"), F(MORE, "y")), "close:1002 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(pongs_that_nobody_asked_for_are_ignored) {
    static const struct row rows[] = {
        {"empty", FRAMES(F(PONG, "")), "live"},
        {"payload", FRAMES(F(PONG, "unsolicited")), "live"},
        {"125", FRAMES(N(PONG, 125)), "live"},
        {"126", FRAMES(N(PONG, 126)), "close:1002 closing"},
        {"then ping", FRAMES(F(PONG, "x"), F(PING, "y")), "pong:y live"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

/* --- 3 and 4: reserved bits and opcodes --- */

START_TEST(reserved_bits_and_opcodes_are_protocol_errors) {
    for (unsigned bits = 0x10; bits <= 0x70; bits += 0x10) {
        struct row row = {"bits", FRAMES(F((uint8_t)(TEXT | bits), "x")), "close:1002 closing"};
        check_row(&row);
        row.frames[0].first = (uint8_t)(PING | bits);
        check_row(&row);
        row.frames[0] = (struct frame)F(TEXT, "x");
        row.frames[1] = (struct frame)F((uint8_t)(CLOSE | bits), "x");
        row.expected = "error:INVALID_JSON close:1002 closing";
        check_row(&row);
    }
    static const uint8_t opcodes[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < ARRAY_LENGTH(opcodes); i++) {
        struct row row = {"opcode", FRAMES(F((uint8_t)(0x80 | opcodes[i]), "x"), F(PING, "")),
                          "close:1002 closing"};
        check_row(&row);
        row.frames[0] = (struct frame)F(BEGIN, "x");
        row.frames[1] = (struct frame)F((uint8_t)(0x80 | opcodes[i]), "y");
        check_row(&row);
        row.frames[0] = (struct frame)F(PING, "p");
        row.expected = "pong:p close:1002 closing";
        check_row(&row);
    }
}
END_TEST

/* --- 5: fragments --- */

START_TEST(fragments_make_one_message_and_control_frames_may_come_between) {
    static const struct row rows[] = {
        {"two", FRAMES(F(BEGIN, "{\"type\":"), F(MORE, "\"ping\"}")), "pong live"},
        {"empty ones", FRAMES(F(BEGIN, ""), F(NEXT, ""), F(MORE, "")), "error:INVALID_JSON live"},
        {"empty around",
         FRAMES(F(BEGIN, ""), F(NEXT, "{\"type\":\"ping\"}"), F(NEXT, ""), F(MORE, "")),
         "pong live"},
        {"ping between", FRAMES(F(BEGIN, "{\"type\":"), F(PING, "p"), F(MORE, "\"ping\"}")),
         "pong:p pong live"},
        {"pongs and pings",
         FRAMES(F(BEGIN, "{\"ty"), F(PONG, "x"), F(NEXT, "pe\":"), F(PING, "q"), F(PING, ""),
                F(MORE, "\"ping\"}")),
         "pong:q pong: pong live"},
        {"ping of 125 between", FRAMES(F(BEGIN, "x"), N(PING, 125), F(MORE, "y")),
         "pong:125 error:INVALID_JSON live"},
        {"unfinished", FRAMES(F(BEGIN, "x"), F(NEXT, "y")), "live lent"},
        {"unfinished, ping", FRAMES(F(BEGIN, "x"), F(PING, "y")), "pong:y live lent"},
        {"close between", FRAMES(F(BEGIN, "x"), F(CLOSE, "\x03\xe8"), F(MORE, "y")),
         "close:1000 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(fragments_out_of_order_are_protocol_errors) {
    static const struct row rows[] = {
        {"continuation first", FRAMES(F(MORE, "x"), F(TEXT, "y")), "close:1002 closing"},
        {"open continuation first", FRAMES(F(NEXT, "x"), F(MORE, "y")), "close:1002 closing"},
        {"continuation after a message", FRAMES(F(TEXT, "x"), F(MORE, "y")),
         "error:INVALID_JSON close:1002 closing"},
        {"text within", FRAMES(F(BEGIN, "x"), F(TEXT, "y")), "close:1002 closing"},
        {"begin within", FRAMES(F(BEGIN, "x"), F(BEGIN, "y")), "close:1002 closing"},
        {"binary within", FRAMES(F(BEGIN, "x"), F(NEXT, "z"), F(0x02, "y")), "close:1002 closing"},
        {"after empty", FRAMES(F(BEGIN, ""), F(TEXT, "y")), "close:1002 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

/* --- 6: UTF-8 --- */

START_TEST(text_must_be_utf8_wherever_it_is_cut) {
    static const struct row rows[] = {
        {"valid", FRAMES(F(TEXT, "\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80")),
         "error:INVALID_JSON live"},
        {"highest", FRAMES(F(TEXT, "\xf4\x8f\xbf\xbf")), "error:INVALID_JSON live"},
        {"U+FFFE, U+FFFF", FRAMES(F(TEXT, "\xef\xbf\xbe\xef\xbf\xbf")), "error:INVALID_JSON live"},
        {"zero byte", FRAMES(F(TEXT, "\0")), "error:INVALID_JSON live"},
        {"over fragments", FRAMES(F(BEGIN, "\xf0\x9f"), F(NEXT, "\x98"), F(MORE, "\x80")),
         "error:INVALID_JSON live"},
        {"ping within a code point",
         FRAMES(F(BEGIN, "\xf0\x9f"), F(PING, "p"), F(MORE, "\x98\x80")),
         "pong:p error:INVALID_JSON live"},
        {"binary ping", FRAMES(F(BEGIN, "\xce"), F(PING, "\xff\x80"), F(MORE, "\xba")),
         "pong:\xff\x80 error:INVALID_JSON live"},
        {"too high", FRAMES(F(TEXT, "\xf4\x90\x80\x80")), "close:1007 closing"},
        {"surrogate", FRAMES(F(TEXT, "\xed\xa0\x80")), "close:1007 closing"},
        {"overlong", FRAMES(F(TEXT, "\xc0\xaf")), "close:1007 closing"},
        {"overlong of 4", FRAMES(F(TEXT, "\xf0\x80\x80\xaf")), "close:1007 closing"},
        {"lone", FRAMES(F(TEXT, "\x80")), "close:1007 closing"},
        {"0xff", FRAMES(F(TEXT, "abc\xff")), "close:1007 closing"},
        {"ends early", FRAMES(F(TEXT, "ab\xce")), "close:1007 closing"},
        {"ends early in fragments", FRAMES(F(BEGIN, "\xce"), F(NEXT, ""), F(MORE, "")),
         "close:1007 closing"},
        {"bad in the second", FRAMES(F(BEGIN, "\xce\xba"), F(MORE, "\xed\xa0\x80")),
         "close:1007 closing"},
        {"bad across", FRAMES(F(BEGIN, "\xce"), F(MORE, "\xce")), "close:1007 closing"},
        {"fails before the end", FRAMES(F(BEGIN, "\xff")), "close:1007 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

/* --- 7: Close --- */

START_TEST(a_close_is_answered_with_its_own_code) {
    static const struct row rows[] = {
        {"empty", FRAMES(F(CLOSE, "")), "close:- closing"},
        {"1000", FRAMES(F(CLOSE, "\x03\xe8")), "close:1000 closing"},
        {"reason", FRAMES(F(CLOSE, "\x03\xe8that is all")), "close:1000 closing"},
        {"123 bytes of reason",
         FRAMES(F(CLOSE,
                  "\x03\xe8"
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
         "close:1000 closing"},
        {"reason in UTF-8", FRAMES(F(CLOSE, "\x03\xe8\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80.")),
         "close:1000 closing"},
        {"after data", FRAMES(F(TEXT, "x"), F(PING, "p"), F(CLOSE, "\x03\xe9")),
         "error:INVALID_JSON pong:p close:1001 closing"},
        {"data after it",
         FRAMES(F(CLOSE, "\x03\xe8"), F(TEXT, "x"), F(PING, "p"), F(CLOSE, "\x03\xe9")),
         "close:1000 closing"},
        {"rubbish after it", FRAMES(F(CLOSE, "\x03\xe8"), F(0xff, "x")), "close:1000 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(a_close_that_is_none_is_a_protocol_error) {
    static const struct row rows[] = {
        {"one byte", FRAMES(F(CLOSE, "\x03")), "close:1002 closing"},
        {"126 bytes", FRAMES(N(CLOSE, 126)), "close:1002 closing"},
        {"fragmented", FRAMES(F(0x08, "\x03\xe8")), "close:1002 closing"},
        {"bad reason", FRAMES(F(CLOSE, "\x03\xe8\xce\xba\xed\xa0\x80")), "close:1007 closing"},
        {"reason ends early", FRAMES(F(CLOSE, "\x03\xe8ok\xce")), "close:1007 closing"},
        {"lone byte", FRAMES(F(CLOSE, "\x03\xe8\x80")), "close:1007 closing"},
    };
    check_rows(rows, ARRAY_LENGTH(rows));
}
END_TEST

START_TEST(only_the_close_codes_of_the_rfc_are_taken) {
    for (unsigned code = 0; code < 65536; code++) {
        bool edge = code % 1000 < 2 || code % 1000 == 999 || (code >= 990 && code < 1020);
        if (!edge && code % 977 != 0) {
            continue;
        }
        bool valid =
            (code >= 1000 && code <= 1011 && code != 1004 && code != 1005 && code != 1006) ||
            (code >= 3000 && code <= 4999);
        char payload[2] = {(char)(code >> 8), (char)code}, expected[32];
        snprintf(expected, sizeof expected, "close:%u closing", valid ? code : 1002);
        struct row row = {"code", FRAMES({.first = CLOSE, .payload = payload, .length = 2}),
                          expected};
        check_row(&row);
    }
}
END_TEST

/* --- our own Close --- */

START_TEST(the_answer_to_our_close_is_no_error_whatever_code_it_repeats) {
    static const enum close_code codes[] = {CLOSE_POLICY, CLOSE_SERVICE_RESTART,
                                            CLOSE_TRY_AGAIN_LATER};
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        const char payload[2] = {(char)(codes[i] >> 8), (char)(codes[i] & 0xff)};
        const struct frame frames[] = {{.first = CLOSE, .payload = payload, .length = 2}};
        build(frames, 1);
        for (size_t cut = 0; cut <= stream.length; cut++) {
            struct conn *conn = open_conn();
            conn_close(&worker, conn, codes[i], "");
            feed_copy(conn, stream.bytes, cut);
            feed_copy(conn, stream.bytes + cut, stream.length - cut);
            ck_assert(conn->flags & CONN_CLOSE_RECEIVED);
            ck_assert_ptr_null(conn->input);
            drop(conn);
        }
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_PROTOCOL_ERRORS), 0);
}
END_TEST

START_TEST(pings_after_our_close_are_not_answered_and_not_kept_for_another_client) {
    static const struct frame frames[] = {F(PING, "secret of the first"), N(PING, 125),
                                          N(PING, 125), N(PING, 125)};
    for (size_t count = 1; count <= ARRAY_LENGTH(frames); count++) {
        struct conn *closing = open_conn();
        conn_close(&worker, closing, CLOSE_POLICY, "");
        build(frames, count);
        feed_copy(closing, stream.bytes, stream.length);
        ck_assert_str_eq(outcome_of(closing), "close:1008 closing");
        /* the context goes to the next */
        const struct row row = {"the next", FRAMES(F(PING, "p"), F(PING, "q")),
                                "pong:p pong:q live"};
        check_row(&row);
        drop(closing);
    }
}
END_TEST

/* --- 10 and floods --- */

/* The same bytes many times, in reads of 4 KiB; the queue is emptied as if the client read. */
static void flood(struct conn *conn, const struct frame *frame, unsigned times) {
    build(frame, 1);
    unsigned char bytes[4096];
    unsigned frames_a_read = (unsigned)(sizeof bytes / stream.length);
    for (unsigned i = 0; i < frames_a_read; i++) {
        memcpy(bytes + i * stream.length, stream.bytes, stream.length);
    }
    for (unsigned done = 0; done < times && conn->state == CONN_LIVE; done += frames_a_read) {
        feed(conn, bytes, frames_a_read * stream.length);
        ck_assert_uint_le(conn->queue.bytes, 4096);
        if (conn->state == CONN_LIVE) {
            flush_schedule_remove(&worker.fanout->schedule, conn);
            outq_clear(&worker.fanout->queues, &conn->queue);
        }
    }
}

/* 0 under the sanitizers, whose allocator does not say. */
static size_t heap_used(void) {
    return mallinfo2().uordblks;
}

START_TEST(a_hundred_thousand_pings_leave_no_memory_behind) {
    struct conn *conn = open_conn();
    static const struct frame ping = F(PING, "x");
    flood(conn, &ping, 1000);
    size_t before = heap_used();
    flood(conn, &ping, 100000);
    ck_assert_str_eq(outcome_of(conn), "live");
    ck_assert_uint_le(heap_used(), before + 4096);
}
END_TEST

START_TEST(fragments_without_end_close_with_1008) {
    static const struct frame begin = F(BEGIN, "x"), one_byte = F(NEXT, "x"), empty = F(NEXT, "");
    const struct {
        const struct frame *frame;
        unsigned times;
    } floods[] = {{&one_byte, 60000}, {&empty, 1000000}};
    for (size_t i = 0; i < ARRAY_LENGTH(floods); i++) {
        struct conn *conn = open_conn();
        size_t before = heap_used();
        build(&begin, 1);
        feed(conn, stream.bytes, stream.length);
        flood(conn, floods[i].frame, floods[i].times);
        ck_assert_str_eq(outcome_of(conn), "close:1008 closing");
        ck_assert_uint_le(heap_used(), before + 65536);
        drop(conn);
    }
}
END_TEST

START_TEST(as_many_fragments_as_are_allowed_make_a_message) {
    static const struct frame begin = F(BEGIN, "["), next = F(NEXT, " "), last = F(MORE, "]");
    struct conn *conn = open_conn();
    for (unsigned i = 0; i < WS_MAX_FRAGMENTS; i++) {
        build(i == 0 ? &begin : i == WS_MAX_FRAGMENTS - 1 ? &last : &next, 1);
        feed_copy(conn, stream.bytes, stream.length);
    }
    ck_assert_str_eq(outcome_of(conn), "error:INVALID_MESSAGE live");
}
END_TEST

START_TEST(a_text_in_fragments_of_any_size_arrives_whole) {
    enum { SIZE = 65536 };
    for (size_t size = 64; size <= SIZE; size *= 2) {
        struct conn *conn = open_conn();
        for (size_t at = 0; at < SIZE; at += size) {
            const struct frame frame = {
                .first = (uint8_t)((at == 0 ? 1 : 0) | (at + size >= SIZE ? 0x80 : 0)),
                .length = size};
            build(&frame, 1);
            feed_copy(conn, stream.bytes, stream.length);
        }
        ck_assert_str_eq(outcome_of(conn), "error:INVALID_JSON live");
        drop(conn);
    }
    ck_assert_uint_eq(stats_get(worker.stats, STAT_MESSAGES_IN), 11);
}
END_TEST

START_TEST(the_memory_of_many_messages_returns_to_its_base) {
    static const struct frame frames[] = {N(TEXT, 60000), F(PING, "p"), F(BEGIN, "x"),
                                          F(MORE, "y")};
    size_t base = 0;
    for (int round = 0; round < 200; round++) {
        struct conn *conn = open_conn();
        build(frames, ARRAY_LENGTH(frames));
        feed(conn, stream.bytes, stream.length - (round % 3 == 0 ? 3 : 0));
        drop(conn);
        if (round == 20) {
            base = heap_used();
        }
    }
    ck_assert_uint_le(heap_used(), base + 4096);
}
END_TEST

START_TEST(when_all_contexts_are_out_the_next_frame_closes_with_1013) {
    static const unsigned char half[] = {TEXT, 0x85, 1, 2, 3, 4, 'x'};
    static struct conn *conns[WS_POOL_MOST_LENT];
    for (unsigned i = 0; i < WS_POOL_MOST_LENT; i++) {
        conns[i] = open_conn();
        feed(conns[i], half, sizeof half);
        ck_assert_int_eq(conns[i]->state, CONN_LIVE);
        ck_assert_ptr_nonnull(conns[i]->input);
    }
    struct conn *late = open_conn();
    feed(late, half, sizeof half);
    ck_assert_str_eq(outcome_of(late), "close:1013 closing");
    feed(late, half, sizeof half); /* still none: no harm */
    ck_assert_str_eq(outcome_of(late), "close:1013 closing");
    drop(conns[7]);
    struct conn *lucky = open_conn();
    feed(lucky, half, sizeof half);
    ck_assert_str_eq(outcome_of(lucky), "live lent");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ws_events");
    TCase *tests = tcase_create("ws_events");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, worker_close);
    tcase_add_test(tests, texts_of_every_length_form_are_read);
    tcase_add_test(tests, binary_messages_close_with_1003);
    tcase_add_test(tests, lengths_in_a_longer_form_than_needed_are_protocol_errors);
    tcase_add_test(tests, frames_without_a_mask_are_protocol_errors);
    tcase_add_test(tests, pings_are_answered_with_their_payload);
    tcase_add_test(tests, pongs_that_nobody_asked_for_are_ignored);
    tcase_add_test(tests, reserved_bits_and_opcodes_are_protocol_errors);
    tcase_add_test(tests, fragments_make_one_message_and_control_frames_may_come_between);
    tcase_add_test(tests, fragments_out_of_order_are_protocol_errors);
    tcase_add_test(tests, text_must_be_utf8_wherever_it_is_cut);
    tcase_add_test(tests, a_close_is_answered_with_its_own_code);
    tcase_add_test(tests, a_close_that_is_none_is_a_protocol_error);
    tcase_add_test(tests, only_the_close_codes_of_the_rfc_are_taken);
    tcase_add_test(tests, the_answer_to_our_close_is_no_error_whatever_code_it_repeats);
    tcase_add_test(tests, pings_after_our_close_are_not_answered_and_not_kept_for_another_client);
    tcase_add_test(tests, a_hundred_thousand_pings_leave_no_memory_behind);
    tcase_add_test(tests, fragments_without_end_close_with_1008);
    tcase_add_test(tests, as_many_fragments_as_are_allowed_make_a_message);
    tcase_add_test(tests, a_text_in_fragments_of_any_size_arrives_whole);
    tcase_add_test(tests, the_memory_of_many_messages_returns_to_its_base);
    tcase_add_test(tests, when_all_contexts_are_out_the_next_frame_closes_with_1013);
    suite_add_tcase(suite, tests);
    free(stream.bytes);
    return unit_run(suite);
}
