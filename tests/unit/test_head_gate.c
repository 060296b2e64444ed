/* The table of what the gate lets through and what it refuses, each row fed whole, byte by byte
 * and in two pieces cut at every place. */
#include "gateway/http/head_gate.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: moonx.example:3008\r\n"
#define ROW(status, reason, bytes)                                                                 \
    { status, reason, bytes, sizeof(bytes) - 1 }

static const struct row {
    unsigned status; /* 200: let through */
    const char *reason;
    const char *bytes;
    size_t length;
} rows[] = {
    /* let through */
    ROW(200, "plain", "GET / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(200, "HTTP/1.0", "GET /health HTTP/1.0\r\n" HOST "\r\n"),
    ROW(200, "every printable byte",
        "GET /!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ HTTP/1.1\r\n" HOST "\r\n"),
    ROW(200, "percent", "GET /%00%zz?%0d%0a HTTP/1.1\r\n" HOST "\r\n"),
    ROW(200, "no blank behind the colon", "GET / HTTP/1.1\r\nHost:x\r\n\r\n"),
    ROW(200, "empty value", "GET / HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Blank: \t \r\n\r\n"),
    ROW(200, "tab and obs-text in a value", "GET / HTTP/1.1\r\n" HOST "X: a\tb \x80\xff\r\n\r\n"),
    ROW(200, "token names", "GET / HTTP/1.1\r\n" HOST "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n"),
    ROW(200, "no body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"),
    ROW(200, "address as host", "GET / HTTP/1.1\r\nHost: [::1]:3008\r\n\r\n"),
    ROW(200, "another known method", "DELETE /x HTTP/1.1\r\n" HOST "\r\n"),
    ROW(200, "upgrade",
        "GET /ws HTTP/1.1\r\n" HOST
        "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"),

    /* what evhttp accepts */
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: +0\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n"),
    ROW(400, "NUL in a value", "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"),
    ROW(400, "control byte in a name", "GET / HTTP/1.1\r\n" HOST "X\x01y: a\r\n\r\n"),
    ROW(400, "bare LF", "GET / HTTP/1.1\n" HOST "\r\n"),
    ROW(400, "bare LF", "GET / HTTP/1.1\r\nHost: x\n\r\n"),
    ROW(400, "bare LF", "GET / HTTP/1.1\r\nHost: x\r\nX: 1\nY: 2\r\n\r\n"),
    ROW(400, "bare LF at the end", "GET / HTTP/1.1\r\n" HOST "\n"),
    ROW(400, "fold", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
    ROW(400, "fold", "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"),
    ROW(400, "fold in front", "GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n"),
    ROW(400, "no Host", "GET / HTTP/1.1\r\n\r\n"),
    ROW(400, "no Host", "GET / HTTP/1.0\r\nX: y\r\n\r\n"),
    ROW(400, "two Hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n"),
    ROW(400, "two Hosts", "GET / HTTP/1.1\r\n" HOST "hOST: other\r\n\r\n"),

    /* bodies */
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 00\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: -0\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0, 0\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "transfer-encoding: identity\r\n\r\n"),
    ROW(400, "body", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"),
    ROW(400, "body",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
    ROW(411, "Content-Length and no Transfer-Encoding",
        "POST /admin/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
    ROW(400, "must be one number", "POST /admin/x HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\n"),
    ROW(413, "too long", "POST /admin/x HTTP/1.1\r\n" HOST "Content-Length: 999999999999\r\n\r\n"),

    /* request line */
    ROW(400, "absolute form", "GET http://moonx.example/ HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "authority form", "CONNECT moonx.example:443 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(405, "CONNECT with a path", "CONNECT / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "no target", "GET  HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "two blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "two blanks", "GET /  HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "tab for a blank", "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "tab in the target", "GET /a\tb HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "NUL in the target", "GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "DEL in the target", "GET /a\x7f HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "raw UTF-8 in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "bare CR in the target", "GET /a\rb HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "HTTP/0.9", "GET /\r\n"),
    ROW(400, "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW(505, "HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n"),
    ROW(505, "HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n"),
    ROW(505, "HTTP/0.9 by name", "GET / HTTP/0.9\r\n" HOST "\r\n"),
    ROW(400, "version without a dot", "GET / HTTP/2\r\n" HOST "\r\n"),
    ROW(400, "small letters", "GET / http/1.1\r\n" HOST "\r\n"),
    ROW(400, "long version", "GET / HTTP/1.10\r\n" HOST "\r\n"),
    ROW(400, "bytes behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n"),
    ROW(400, "another protocol", "GET / RTSP/1.0\r\n" HOST "\r\n"),
    ROW(400, "CR CR LF", "GET / HTTP/1.1\r\r\n" HOST "\r\n"),
    ROW(400, "method in small letters", "get / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(405, "unknown method", "BREW /pot HTTP/1.1\r\n" HOST "\r\n"),
    ROW(405, "unknown method", "GE / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(405, "unknown method", "GETT / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(405, "a method of RTSP", "DESCRIBE / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "endless method", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "empty line in front", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "LF in front", "\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "blank in front", " GET / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "BOM", "\xef\xbb\xbfGET / HTTP/1.1\r\n" HOST "\r\n"),
    ROW(400, "TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ROW(400, "SSH", "SSH-2.0-OpenSSH_9.2\r\n"),
    ROW(400, "a response", "HTTP/1.1 200 OK\r\n\r\n"),

    /* header lines */
    ROW(400, "blank in front of the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
    ROW(400, "blank in a name", "GET / HTTP/1.1\r\n" HOST "X Y: z\r\n\r\n"),
    ROW(400, "no colon", "GET / HTTP/1.1\r\n" HOST "nonsense\r\n\r\n"),
    ROW(400, "no name", "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"),
    ROW(400, "NUL in a name", "GET / HTTP/1.1\r\n" HOST "X\0: x\r\n\r\n"),
    ROW(400, "separator in a name", "GET / HTTP/1.1\r\n" HOST "X(y): x\r\n\r\n"),
    ROW(400, "byte above 0x7f in a name", "GET / HTTP/1.1\r\n" HOST "X\x80: x\r\n\r\n"),
    ROW(400, "bare CR in a value", "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"),
    ROW(400, "ESC in a value", "GET / HTTP/1.1\r\n" HOST "X: \x1b[2J\r\n\r\n"),
    ROW(400, "DEL in a value", "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n"),
    ROW(400, "CR at the end without LF", "GET / HTTP/1.1\r\n" HOST "\rX"),
    ROW(400, "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ROW(400, "path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ROW(400, "user in Host", "GET / HTTP/1.1\r\nHost: user@host\r\n\r\n"),
    ROW(400, "two names in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ROW(400, "raw UTF-8 in Host", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n"),
};

struct verdict {
    enum head_result result;
    unsigned status;
    const char *reason;
    size_t consumed;
};

/* Feeds pieces of the given lengths (the last repeats) until the gate has decided or the bytes end. */
static struct verdict feed_pieces(struct head_gate *gate, const char *bytes, size_t length,
                                  size_t first, size_t others) {
    struct verdict verdict = {HEAD_MORE, 0, NULL, 0};
    size_t at = 0;
    size_t piece = first;
    while (at < length && verdict.result == HEAD_MORE) {
        size_t take = piece < length - at ? piece : length - at;
        size_t consumed = SIZE_MAX;
        /* A copy of exactly that size: the sanitizer sees every read past it. */
        char *copy = malloc(take ? take : 1);
        memcpy(copy, bytes + at, take);
        verdict.result = head_gate_feed(gate, copy, take, &consumed);
        free(copy);
        ck_assert_uint_le(consumed, take);
        ck_assert(verdict.result != HEAD_MORE || consumed == take);
        verdict.consumed += consumed;
        at += take;
        piece = others;
    }
    if (verdict.result == HEAD_BAD) {
        verdict.status = head_gate_status(gate);
        verdict.reason = head_gate_reason(gate);
    }
    return verdict;
}

static struct verdict judge(const char *bytes, size_t length, size_t first, size_t others) {
    struct head_gate *gate;
    ck_assert_int_eq(head_gate_new(&gate), 0);
    struct verdict verdict = feed_pieces(gate, bytes, length, first, others);
    head_gate_free(gate);
    return verdict;
}

START_TEST(each_row_of_the_table_gets_its_status) {
    const struct row *row = &rows[_i];
    struct verdict verdict = judge(row->bytes, row->length, row->length, row->length);
    if (row->status == 200) {
        ck_assert_msg(verdict.result == HEAD_DONE, "%s: refused: %s", row->reason, verdict.reason);
        ck_assert_uint_eq(verdict.consumed, row->length);
    } else {
        ck_assert_msg(verdict.result == HEAD_BAD, "%s (row %d): not refused", row->reason, _i);
        ck_assert_msg(verdict.status == row->status, "%s (row %d): %u", row->reason, _i,
                      verdict.status);
        ck_assert(verdict.reason && verdict.reason[0]);
    }
}
END_TEST

START_TEST(pieces_of_any_size_get_the_same_verdict) {
    const struct row *row = &rows[_i];
    struct verdict whole = judge(row->bytes, row->length, row->length, row->length);
    for (size_t first = 0; first <= row->length; first++) {
        /* first 0: byte by byte, after an empty piece */
        struct verdict cut = judge(row->bytes, row->length, first, first ? row->length : 1);
        ck_assert_int_eq(cut.result, whole.result);
        ck_assert_uint_eq(cut.status, whole.status);
        ck_assert(whole.result == HEAD_BAD || cut.consumed == whole.consumed);
        ck_assert_ptr_eq(cut.reason, whole.reason);
    }
}
END_TEST

START_TEST(the_request_is_told_in_spans_that_outlive_the_growth_of_the_buffer) {
    static const char start[] =
        "POST /a/b?c=d&e=?f HTTP/1.0\r\nhOsT:  moonx \t\r\nEmpty:\r\nLong: ";
    char bytes[8192];
    size_t length = sizeof(start) - 1;
    memcpy(bytes, start, length);
    memset(bytes + length, 'x', 7000);
    length += 7000;
    memcpy(bytes + length, "\r\n\r\n", 4);
    length += 4;

    for (size_t piece = 1; piece <= length; piece += 611) {
        struct head_gate *gate;
        ck_assert_int_eq(head_gate_new(&gate), 0);
        ck_assert_int_eq(feed_pieces(gate, bytes, length, piece, piece).result, HEAD_DONE);
        const struct http_request *request = head_gate_request(gate);
        struct span value;
        ck_assert(span_is(request->method, "POST"));
        ck_assert(span_is(request->target, "/a/b?c=d&e=?f"));
        ck_assert(span_is(request->path, "/a/b"));
        ck_assert(span_is(request->query, "c=d&e=?f"));
        ck_assert_uint_eq(request->minor, 0);
        ck_assert_uint_eq(request->header_count, 3);
        ck_assert(span_is(request->headers[0].name, "hOsT"));
        ck_assert_int_eq(http_request_header(request, "HOST", &value), 1);
        ck_assert(span_is(value, "moonx"));
        ck_assert_int_eq(http_request_header(request, "empty", &value), 1);
        ck_assert_uint_eq(value.length, 0);
        ck_assert_int_eq(http_request_header(request, "long", &value), 1);
        ck_assert_uint_eq(value.length, 7000);
        head_gate_free(gate);
    }
}
END_TEST

START_TEST(bytes_behind_the_head_are_left_alone) {
    static const char head[] =
        "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    static const char behind[] = "\x81\x85\r\n\r\nGET / HTTP/1.1\r\n\r\n\0\xff";
    char bytes[sizeof(head) + sizeof(behind)];
    memcpy(bytes, head, sizeof(head) - 1);
    memcpy(bytes + sizeof(head) - 1, behind, sizeof(behind));
    size_t length = sizeof(head) - 1 + sizeof(behind);
    for (size_t first = 1; first <= length; first++) {
        struct verdict verdict = judge(bytes, length, first, length);
        ck_assert_int_eq(verdict.result, HEAD_DONE);
        ck_assert_uint_eq(verdict.consumed, sizeof(head) - 1);
    }
}
END_TEST

START_TEST(a_verdict_is_final) {
    struct head_gate *gate;
    size_t consumed = 7;
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_int_eq(head_gate_feed(gate, "?", 1, &consumed), HEAD_BAD);
    ck_assert_uint_eq(consumed, 0);
    ck_assert_int_eq(head_gate_feed(gate, "GET / HTTP/1.1\r\n", 16, &consumed), HEAD_BAD);
    ck_assert_uint_eq(consumed, 0);
    ck_assert_uint_eq(head_gate_status(gate), 400);
    head_gate_free(gate);

    static const char good[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_int_eq(head_gate_feed(gate, good, sizeof(good) - 1, &consumed), HEAD_DONE);
    ck_assert_int_eq(head_gate_feed(gate, "\0\0", 2, &consumed), HEAD_DONE);
    ck_assert_uint_eq(consumed, 0);
    ck_assert(span_is(head_gate_request(gate)->path, "/"));
    head_gate_free(gate);
    head_gate_free(NULL);
}
END_TEST

/* A head of `total` bytes, filled up by one header. */
static char *head_of(size_t total) {
    static const char start[] = "GET / HTTP/1.1\r\n" HOST "X: ";
    char *bytes = malloc(total);
    memset(bytes, 'x', total);
    memcpy(bytes, start, sizeof(start) - 1);
    memcpy(bytes + total - 4, "\r\n\r\n", 4);
    return bytes;
}

START_TEST(a_head_of_exactly_the_limit_passes_and_one_byte_more_does_not) {
    static const size_t pieces[] = {1, 1000, 4096, 65536};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        char *fits = head_of(HEAD_GATE_MAX_BYTES);
        ck_assert_int_eq(judge(fits, HEAD_GATE_MAX_BYTES, pieces[i], pieces[i]).result, HEAD_DONE);
        free(fits);
        char *too_long = head_of(HEAD_GATE_MAX_BYTES + 1);
        struct verdict verdict = judge(too_long, HEAD_GATE_MAX_BYTES + 1, pieces[i], pieces[i]);
        ck_assert_int_eq(verdict.result, HEAD_BAD);
        ck_assert_uint_eq(verdict.status, 431);
        free(too_long);
    }
}
END_TEST

static struct verdict judge_headers(unsigned count, size_t piece) {
    char bytes[2048] = "GET / HTTP/1.1\r\n" HOST;
    size_t length = strlen(bytes);
    for (unsigned i = 1; i < count; i++) {
        length += (size_t)snprintf(bytes + length, sizeof(bytes) - length, "X-%u: %u\r\n", i, i);
    }
    length += (size_t)snprintf(bytes + length, sizeof(bytes) - length, "\r\n");
    return judge(bytes, length, piece, piece);
}

START_TEST(sixty_four_headers_pass_and_sixty_five_do_not) {
    static const size_t pieces[] = {1, 3, 2048};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        ck_assert_int_eq(judge_headers(64, pieces[i]).result, HEAD_DONE);
        ck_assert_uint_eq(judge_headers(65, pieces[i]).status, 431);
    }
}
END_TEST

static struct verdict judge_target(size_t length, size_t piece) {
    static const char rest[] = " HTTP/1.1\r\n" HOST "\r\n";
    char *bytes = malloc(4 + length + sizeof(rest) - 1);
    memcpy(bytes, "GET /", 5);
    memset(bytes + 5, 'a', length - 1);
    memcpy(bytes + 4 + length, rest, sizeof(rest) - 1);
    struct verdict verdict = judge(bytes, 4 + length + sizeof(rest) - 1, piece, piece);
    free(bytes);
    return verdict;
}

START_TEST(a_target_of_8192_bytes_passes_and_one_more_does_not) {
    static const size_t pieces[] = {1, 65536};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        ck_assert_int_eq(judge_target(8192, pieces[i]).result, HEAD_DONE);
        ck_assert_uint_eq(judge_target(8193, pieces[i]).status, 414);
    }
}
END_TEST

START_TEST(an_unfinished_head_asks_for_more) {
    static const char head[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
    for (size_t length = 0; length < sizeof(head) - 1; length++) {
        ck_assert_int_eq(judge(head, length, 1, 1).result, HEAD_MORE);
    }
}
END_TEST

START_TEST(a_list_of_tokens_is_searched_over_several_headers_without_case) {
    static const char head[] = "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive,, \tUPGRADE ,\r\n"
                               "connection: close\r\nX: upgraded\r\n\r\n";
    struct head_gate *gate;
    struct span value;
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_int_eq(feed_pieces(gate, head, sizeof(head) - 1, 1, 1).result, HEAD_DONE);
    const struct http_request *request = head_gate_request(gate);
    ck_assert(http_request_has_token(request, "Connection", "upgrade"));
    ck_assert(http_request_has_token(request, "Connection", "Close"));
    ck_assert(http_request_has_token(request, "Connection", "keep-alive"));
    ck_assert(!http_request_has_token(request, "Connection", "keep"));
    ck_assert(!http_request_has_token(request, "X", "upgrade"));
    ck_assert(!http_request_has_token(request, "Y", "upgrade"));
    ck_assert_int_eq(http_request_header(request, "connection", &value), -EEXIST);
    ck_assert_int_eq(http_request_header(request, "y", &value), 0);
    head_gate_free(gate);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("head_gate");
    TCase *tests = tcase_create("head_gate");
    tcase_add_loop_test(tests, each_row_of_the_table_gets_its_status, 0, (int)ARRAY_LENGTH(rows));
    tcase_add_loop_test(tests, pieces_of_any_size_get_the_same_verdict, 0, (int)ARRAY_LENGTH(rows));
    tcase_add_test(tests, the_request_is_told_in_spans_that_outlive_the_growth_of_the_buffer);
    tcase_add_test(tests, bytes_behind_the_head_are_left_alone);
    tcase_add_test(tests, a_verdict_is_final);
    tcase_add_test(tests, a_head_of_exactly_the_limit_passes_and_one_byte_more_does_not);
    tcase_add_test(tests, sixty_four_headers_pass_and_sixty_five_do_not);
    tcase_add_test(tests, a_target_of_8192_bytes_passes_and_one_more_does_not);
    tcase_add_test(tests, an_unfinished_head_asks_for_more);
    tcase_add_test(tests, a_list_of_tokens_is_searched_over_several_headers_without_case);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
