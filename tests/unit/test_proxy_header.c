/* The PROXY header, both versions: what it names, what is refused, in one piece and byte by byte. */
#include "gateway/connection/proxy_header.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text)                                                                                \
    { (text), sizeof(text) - 1 }

static enum proxy_header_result feed(struct proxy_header *header, struct span bytes, size_t piece,
                                     size_t *consumed) {
    *header = (struct proxy_header){0};
    *consumed = 0;
    enum proxy_header_result result = PROXY_HEADER_MORE;
    for (size_t at = 0; at < bytes.length && result == PROXY_HEADER_MORE; at += piece) {
        size_t length = piece < bytes.length - at ? piece : bytes.length - at, taken;
        result = proxy_header_feed(header, (const uint8_t *)bytes.data + at, length, &taken);
        *consumed += taken;
    }
    return result;
}

static const struct {
    struct span bytes; /* "GET" stands behind it in the test */
    enum proxy_header_client client;
    const char *source;
} good[] = {
    {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\r\n"), PROXY_HEADER_NAMED, "192.0.2.1"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_HEADER_NAMED,
     "255.255.255.255"},
    {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 0 0\r\n"), PROXY_HEADER_NAMED, "192.0.2.1"},
    {BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n"), PROXY_HEADER_NAMED, "2001:db8::1"},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     PROXY_HEADER_NAMED, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {BYTES("PROXY UNKNOWN\r\n"), PROXY_HEADER_NOBODY, NULL},
    {BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), /* all 107 bytes */
     PROXY_HEADER_NOBODY, NULL},
    {BYTES("PROXY UNKNOWN \r whatever\r\n"), PROXY_HEADER_NOBODY, NULL},
    {BYTES(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x01\xbb"),
     PROXY_HEADER_NAMED, "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x12\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x01\xbb"),
     PROXY_HEADER_NAMED, "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x11\x00\x13\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x01\xbb"
                     "\x04\x00\x04TLVs"),
     PROXY_HEADER_NAMED, "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x67\x01\xbb"),
     PROXY_HEADER_NAMED, "2001:db8::1"},
    {BYTES(SIGNATURE "\x20\x00\x00\x00"), PROXY_HEADER_ITSELF, NULL},
    {BYTES(SIGNATURE "\x20\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x01\xbb"),
     PROXY_HEADER_ITSELF, NULL},
    {BYTES(SIGNATURE "\x20\xff\x00\x01x"), PROXY_HEADER_ITSELF, NULL},
    {BYTES(SIGNATURE "\x21\x00\x00\x00"), PROXY_HEADER_NOBODY, NULL},
    {BYTES(SIGNATURE "\x21\x00\x00\x05TLVs!"), PROXY_HEADER_NOBODY, NULL},
};

START_TEST(a_header_names_its_client_whatever_the_pieces_and_takes_no_byte_more) {
    char all[256];
    size_t length = good[_i].bytes.length;
    memcpy(all, good[_i].bytes.data, length);
    memcpy(all + length, "GET", 3);
    for (size_t piece = 1; piece <= length + 3; piece++) {
        struct proxy_header header;
        struct address source;
        size_t consumed;
        ck_assert_int_eq(feed(&header, (struct span){all, length + 3}, piece, &consumed),
                         PROXY_HEADER_DONE);
        ck_assert_uint_eq(consumed, length);
        ck_assert_int_eq(header.client, good[_i].client);
        if (good[_i].source != NULL) {
            ck_assert(address_of_text(span_of(good[_i].source), &source));
            ck_assert(address_equal(&header.source, &source));
        }
        ck_assert_int_eq(proxy_header_feed(&header, (const uint8_t *)"x", 1, &consumed),
                         PROXY_HEADER_DONE);
        ck_assert_uint_eq(consumed, 0);
    }
}
END_TEST

START_TEST(a_header_cut_anywhere_waits_for_more) {
    for (size_t length = 0; length < good[_i].bytes.length; length++) {
        struct proxy_header header;
        size_t consumed;
        ck_assert_int_eq(feed(&header, (struct span){good[_i].bytes.data, length}, 7, &consumed),
                         PROXY_HEADER_MORE);
        ck_assert_uint_eq(consumed, length);
    }
}
END_TEST

static const struct span bad[] = {
    BYTES("GET / HTTP/1.1\r\n"),
    BYTES("\x16\x03\x01"),
    BYTES("proxy TCP4 192.0.2.1 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY\r\n"),
    BYTES("PROXY \r\n"),
    BYTES("PROXY TCP5 192.0.2.1 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY TCP4\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443 1\r\n"),
    BYTES("PROXY TCP4  192.0.2.1 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 65536\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 04711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 +711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 999999999999 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.256 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.01 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n"),
    BYTES("PROXY TCP6 192.0.2.1 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 nowhere 4711 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1\0 198.51.100.7 4711 443\r\n"),
    BYTES("PROXY UNKNOWNS\r\n"),
    BYTES("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567890123456789"
          "012345678901234567890123456789\r\n"),
    BYTES(SIGNATURE "\x11\x11\x00\x0c"),
    BYTES(SIGNATURE "\x31\x11\x00\x0c"),
    BYTES(SIGNATURE "\x22\x11\x00\x0c"),
    BYTES(SIGNATURE "\x21\x41\x00\x0c"),
    BYTES(SIGNATURE "\x21\x13\x00\x0c"),
    BYTES(SIGNATURE "\x21\x11\x00\x0b"),
    BYTES(SIGNATURE "\x21\x21\x00\x23"),
    BYTES(SIGNATURE "\x21\x31\x00\xd7"),
    BYTES(SIGNATURE "\x21\x11\x10\x01"),
    BYTES(SIGNATURE "\x20\x00\xff\xff"),
    BYTES("\r\n\r\n\0\r\nQUIT\r"),
};

START_TEST(what_is_no_header_is_refused_with_a_reason_and_for_good) {
    for (size_t piece = 1; piece <= bad[_i].length; piece++) {
        struct proxy_header header;
        size_t consumed;
        ck_assert_int_eq(feed(&header, bad[_i], piece, &consumed), PROXY_HEADER_BAD);
        ck_assert_ptr_nonnull(header.fault);
        ck_assert_int_eq(proxy_header_feed(&header, (const uint8_t *)"x", 1, &consumed),
                         PROXY_HEADER_BAD);
        ck_assert_uint_eq(consumed, 0);
    }
}
END_TEST

START_TEST(a_unix_socket_or_the_longest_header_of_version_2_is_passed_over) {
    static uint8_t bytes[16 + PROXY_HEADER_REST_MAX + 1] = SIGNATURE "\x21\x31\x10\x00";
    for (size_t piece = 1; piece < sizeof(bytes); piece += 501) {
        struct proxy_header header;
        size_t consumed;
        ck_assert_int_eq(
            feed(&header, (struct span){(const char *)bytes, sizeof(bytes)}, piece, &consumed),
            PROXY_HEADER_DONE);
        ck_assert_int_eq(header.client, PROXY_HEADER_NOBODY);
        ck_assert_uint_eq(consumed, sizeof(bytes) - 1);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("proxy_header");
    TCase *tests = tcase_create("proxy_header");

    tcase_add_loop_test(tests, a_header_names_its_client_whatever_the_pieces_and_takes_no_byte_more,
                        0, (int)ARRAY_LENGTH(good));
    tcase_add_loop_test(tests, a_header_cut_anywhere_waits_for_more, 0, (int)ARRAY_LENGTH(good));
    tcase_add_loop_test(tests, what_is_no_header_is_refused_with_a_reason_and_for_good, 0,
                        (int)ARRAY_LENGTH(bad));
    tcase_add_test(tests, a_unix_socket_or_the_longest_header_of_version_2_is_passed_over);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
