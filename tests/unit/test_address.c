/* Addresses, lists of networks, and whose request it is behind proxies. */
#include "gateway/access/address_client.h"
#include "gateway/http/head_gate.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static struct address address_of(const char *text) {
    struct address address;

    ck_assert_msg(address_of_text(span_of(text), &address), "%s", text);
    return address;
}

static struct address_list *list_of(const char *text) {
    struct address_list *list = NULL;
    char error[256] = "";

    ck_assert_msg(address_list_new("X", text, &list, error, sizeof(error)) == 0, "%s", error);
    return list;
}

static const struct {
    const char *list, *address;
    bool has;
} memberships[] = {
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"::ffff:10.0.0.0/104", "10.1.2.3", true},
    {"10.0.0.0/8", "::10.1.2.3", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.0", false},
    {"192.0.2.1/32", "192.0.2.1", true},
    {"192.0.2.0/31", "192.0.2.1", true},
    {"192.0.2.0/31", "192.0.2.2", false},
    {"172.16.0.0/12", "172.31.255.255", true},
    {"172.16.0.0/12", "172.32.0.0", false},
    {"0.0.0.0/0", "203.0.113.7", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "203.0.113.7", true},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::", false},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"::1", "::1", true},
    {"::1/128", "::2", false},
    {" 10.0.0.0/8 , 2001:db8::/32", "2001:db8::5", true},
    {"", "10.0.0.1", false},
    {"  ", "10.0.0.1", false},
};

START_TEST(a_list_has_the_addresses_of_its_networks_and_no_others) {
    struct address_list *list = list_of(memberships[_i].list);
    struct address address = address_of(memberships[_i].address);

    ck_assert_msg(address_list_has(list, &address) == memberships[_i].has, "%s in %s",
                  memberships[_i].address, memberships[_i].list);
    address_list_free(list);
}
END_TEST

static const char *const bad_lists[] = {
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/8/8",
    "10.0.0",
    "10.0.0.0.0",
    "010.0.0.1",
    "localhost",
    "a,",
    "10.0.0.0/8,",
    ",10.0.0.0/8",
    "::1/129",
    "2001:db8::1/32",
    "fe80::1%eth0",
    "[::1]",
    "10.0.0.0/0008",
    "10.0.0.0/8 x",
    "/8",
    "1.2.3.4:80",
    "10.0.0.0/8;10.0.0.1",
};

START_TEST(a_wrong_element_is_named_with_its_option) {
    struct address_list *list = NULL;
    char error[256] = "";

    ck_assert_int_eq(
        address_list_new("TRUSTED_PROXIES", bad_lists[_i], &list, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_null(list);
    ck_assert_msg(strncmp(error, "TRUSTED_PROXIES: \"", 18) == 0, "%s", error);
}
END_TEST

START_TEST(a_list_of_too_many_networks_is_refused) {
    static char text[(ADDRESS_LIST_MAX + 1) * 8 + 1];
    struct address_list *list = NULL;
    char error[256];

    for (int i = 0; i <= ADDRESS_LIST_MAX; i++) {
        memcpy(text + (size_t)i * 8, "1.2.3.4,", 8);
    }
    text[(ADDRESS_LIST_MAX + 1) * 8 - 1] = '\0';
    ck_assert_int_eq(address_list_new("X", text, &list, error, sizeof(error)), -E2BIG);
    text[ADDRESS_LIST_MAX * 8 - 1] = '\0';
    ck_assert_int_eq(address_list_new("X", text, &list, error, sizeof(error)), 0);
    address_list_free(list);
}
END_TEST

START_TEST(loopback_is_known_in_all_its_forms) {
    static const struct {
        const char *text;
        bool loopback;
    } rows[] = {{"127.0.0.1", true},  {"127.255.0.1", true},      {"::1", true},
                {"126.0.0.1", false}, {"::ffff:127.0.0.1", true}, {"::127.0.0.1", false},
                {"::", false},        {"::ffff:128.0.0.1", false}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct address address = address_of(rows[i].text);
        ck_assert_msg(address_is_loopback(&address) == rows[i].loopback, "%s", rows[i].text);
    }
}
END_TEST

START_TEST(a_socket_address_is_taken_in_both_families_and_no_other) {
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct address wanted = address_of("192.0.2.7"), got;

    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &four.sin_addr), 1);
    ck_assert(address_of_socket((struct sockaddr *)&four, &got) && address_equal(&got, &wanted));
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.7", &six.sin6_addr), 1);
    ck_assert(address_of_socket((struct sockaddr *)&six, &got) && address_equal(&got, &wanted));
    ck_assert(!address_of_socket(&other, &got));
    ck_assert(!address_of_socket(NULL, &got));
}
END_TEST

/* --- behind proxies --- */

#define XFF "X-Forwarded-For: "
#define FWD "Forwarded: "

enum outcome { KNOWN, UNVOUCHED, UNREADABLE };

/* The peer is 10.0.0.1; trusted are 10.0.0.0/8 and 2001:db8:aa::/48. */
static const struct {
    const char *headers;
    const char *client;
    enum outcome outcome;
} forwards[] = {
    {"", "10.0.0.1", KNOWN},
    {XFF "192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {XFF "192.0.2.1:4711\r\n", "192.0.2.1", KNOWN},
    {XFF "2001:db8::1\r\n", "2001:db8::1", KNOWN},
    {XFF "[2001:db8::1]:4711\r\n", "2001:db8::1", KNOWN},
    {XFF "[2001:db8::1]\r\n", "2001:db8::1", KNOWN},
    /* what stands left of the right-most stranger may be made up */
    {XFF "127.0.0.1, 192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {XFF "127.0.0.1, 192.0.2.1, 10.3.2.1\r\n", "192.0.2.1", KNOWN},
    {XFF "10.9.9.9, 192.0.2.1, 10.3.2.1,10.3.2.2\r\n", "192.0.2.1", KNOWN},
    {XFF "192.0.2.9\r\n" XFF "192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {XFF "192.0.2.1\r\n" XFF "10.0.0.7\r\n", "192.0.2.1", KNOWN},
    {XFF "192.0.2.1, 2001:db8:aa::9\r\n", "192.0.2.1", KNOWN},
    {XFF "10.0.0.9, 10.0.0.8\r\n", "10.0.0.9", KNOWN},
    {XFF "\r\n", "", UNREADABLE},
    {XFF "unknown\r\n", "", UNREADABLE},
    {XFF "192.0.2.1, x\r\n", "", UNREADABLE},
    {XFF "192.0.2.1, unknown, 10.0.0.5\r\n", "", UNREADABLE},
    {XFF "x, 10.0.0.5\r\n", "", UNREADABLE},
    {XFF "unknown, 192.0.2.1\r\n", "192.0.2.1", KNOWN}, /* so does Squid with forwarded_for off */
    {XFF "x, 192.0.2.1, 10.0.0.5\r\n", "192.0.2.1", KNOWN},
    {XFF "x\r\n" XFF "192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {XFF "[192.0.2.1]\r\n", "", UNREADABLE},
    {XFF "[2001:db8::1\r\n", "", UNREADABLE},
    {XFF "[2001:db8::1]x\r\n", "", UNREADABLE},
    {XFF "192.0.2.1%0\r\n", "", UNREADABLE},

    {FWD "for=192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {FWD "For=192.0.2.1;proto=https; by=10.0.0.1\r\n", "192.0.2.1", KNOWN},
    {FWD "proto=http;FOR=\"192.0.2.1:80\"\r\n", "192.0.2.1", KNOWN},
    {FWD "for=\"[2001:db8::1]:4711\"\r\n", "2001:db8::1", KNOWN},
    {FWD "for=127.0.0.1, for=192.0.2.1 , for=10.0.0.5\r\n", "192.0.2.1", KNOWN},
    {FWD "for=127.0.0.1\r\n" FWD "for=192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {FWD "host=\"a,b;c\";for=192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {FWD "for=unknown\r\n", "", UNREADABLE},
    {FWD "for=_gazonk\r\n", "", UNREADABLE},
    {FWD "for=unknown, for=192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {FWD "proto=http, for=192.0.2.1;by=_x, for=10.0.0.5\r\n", "192.0.2.1", KNOWN},
    {FWD "for=192.0.2.1;for=192.0.2.2, for=192.0.2.3\r\n", "192.0.2.3", KNOWN},
    {FWD "for=\"\r\n" FWD "for=192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {FWD "for=192.0.2.1, proto=http\r\n", "", UNREADABLE},
    {FWD "for=192.0.2.1, for=\"\r\n", "", UNREADABLE},
    {FWD "for=\"\r\n", "", UNREADABLE},
    {FWD "for=\", for=192.0.2.1\r\n", "",
     UNREADABLE}, /* a quote that would swallow the proxy's word */
    {FWD "for=\"a\\\", for=192.0.2.1\r\n", "", UNREADABLE},
    {FWD "for=192.0.2.1;for=192.0.2.2\r\n", "", UNREADABLE},
    {FWD "proto=http\r\n", "", UNREADABLE},
    {FWD "for\r\n", "", UNREADABLE},
    {FWD "for=192.0.2.1 192.0.2.2\r\n", "", UNREADABLE},
    {FWD "\r\n", "", UNREADABLE},
    {FWD ", for=192.0.2.1\r\n", "", UNREADABLE},

    {FWD "for=192.0.2.1\r\n" XFF "192.0.2.1\r\n", "192.0.2.1", KNOWN},
    {FWD "for=192.0.2.1\r\n" XFF "127.0.0.1\r\n", "", UNREADABLE},
    {FWD "x\r\n" XFF "192.0.2.1\r\n", "", UNREADABLE},
};

static void find(const char *peer, const char *headers, const struct address_list *trusted,
                 struct address_client *client) {
    static char head[8192];
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct head_gate *gate;
    size_t consumed;

    ck_assert_int_eq(inet_pton(AF_INET, peer, &from.sin_addr), 1);
    snprintf(head, sizeof(head), "GET /ws HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    ck_assert_int_eq(head_gate_new(&gate), 0);
    ck_assert_msg(head_gate_feed(gate, head, strlen(head), &consumed) == HEAD_DONE, "%s", headers);
    address_client_find((struct sockaddr *)&from, head_gate_request(gate), trusted, client);
    head_gate_free(gate);
}

START_TEST(a_trusted_proxy_says_who_the_client_is) {
    struct address_list *trusted = list_of("10.0.0.0/8,2001:db8:aa::/48");
    struct address_client client;

    find("10.0.0.1", forwards[_i].headers, trusted, &client);
    ck_assert_msg(client.known == (forwards[_i].outcome == KNOWN), "%s", forwards[_i].headers);
    ck_assert_msg(client.unreadable == (forwards[_i].outcome == UNREADABLE), "%s",
                  forwards[_i].headers);
    ck_assert_int_eq(client.vouched, client.known);
    ck_assert_int_eq(client.forwarded, forwards[_i].headers[0] != '\0');
    if (client.known) {
        struct address wanted = address_of(forwards[_i].client);
        ck_assert_msg(address_equal(&client.address, &wanted), "%s", forwards[_i].headers);
    }
    address_list_free(trusted);
}
END_TEST

START_TEST(nobody_else_is_believed) {
    struct address_list *trusted = list_of("10.0.0.0/8");
    const struct address_list *lists[] = {trusted, NULL};
    struct address peer = address_of("192.0.2.200");

    for (size_t i = 0; i < ARRAY_LENGTH(lists) * ARRAY_LENGTH(forwards); i++) {
        struct address_client client;
        const char *headers = forwards[i / 2].headers;
        find("192.0.2.200", headers, lists[i % 2], &client);
        ck_assert_msg(client.known && address_equal(&client.address, &peer), "%s", headers);
        ck_assert_int_eq(client.vouched, headers[0] == '\0');
        ck_assert(!client.unreadable);
    }
    address_list_free(trusted);
}
END_TEST

START_TEST(a_chain_of_more_proxies_than_any_real_one_is_unreadable) {
    struct address_list *trusted = list_of("10.0.0.0/8");
    struct address_client client;
    char headers[ADDRESS_CLIENT_MAX_HOPS * 16 + 64];
    size_t length = (size_t)snprintf(headers, sizeof(headers), XFF "192.0.2.1");

    for (int i = 1; i < ADDRESS_CLIENT_MAX_HOPS; i++) {
        length += (size_t)snprintf(headers + length, sizeof(headers) - length, ",10.0.0.2");
    }
    snprintf(headers + length, sizeof(headers) - length, "\r\n");
    find("10.0.0.1", headers, trusted, &client);
    ck_assert(client.known);
    snprintf(headers + length, sizeof(headers) - length, ",10.0.0.2\r\n");
    find("10.0.0.1", headers, trusted, &client);
    ck_assert(client.unreadable && !client.known);
    snprintf(headers + length, sizeof(headers) - length, ",192.0.2.9\r\n");
    find("10.0.0.1", headers, trusted, &client);
    struct address wanted = address_of("192.0.2.9");
    ck_assert(client.known && address_equal(&client.address, &wanted));
    address_list_free(trusted);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("address");
    TCase *tests = tcase_create("address");

    tcase_add_loop_test(tests, a_list_has_the_addresses_of_its_networks_and_no_others, 0,
                        (int)ARRAY_LENGTH(memberships));
    tcase_add_loop_test(tests, a_wrong_element_is_named_with_its_option, 0,
                        (int)ARRAY_LENGTH(bad_lists));
    tcase_add_test(tests, a_list_of_too_many_networks_is_refused);
    tcase_add_test(tests, loopback_is_known_in_all_its_forms);
    tcase_add_test(tests, a_socket_address_is_taken_in_both_families_and_no_other);
    tcase_add_loop_test(tests, a_trusted_proxy_says_who_the_client_is, 0,
                        (int)ARRAY_LENGTH(forwards));
    tcase_add_test(tests, nobody_else_is_believed);
    tcase_add_test(tests, a_chain_of_more_proxies_than_any_real_one_is_unreadable);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
