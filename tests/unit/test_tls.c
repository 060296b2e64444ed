/* TLS as configured: what is wrong with certificates and keys is said in one line, names choose certificates. */
#include "gateway/tls/tls.h"
#include "gateway/tls/tls_names.h"
#include "tests/unit/tls_fixture.h"
#include "tests/unit/unit.h"

#include <signal.h>

static char error[1024];
static struct tls *tls;

static void set_up(void) {
    tls_folder_make();
    tls_make(&(struct tls_made){"one", "DNS:one.example", -1, 60, NULL, 0});
    tls_make(&(struct tls_made){"two", "DNS:two.example", -1, 60, NULL, 2048});
    tls_make(&(struct tls_made){"locked", NULL, -1, 60, "secret", 0});
    tls_make(&(struct tls_made){"short", NULL, -1, 60, NULL, 1024});
    tls_make(&(struct tls_made){"over", NULL, -20, -10, NULL, 0});
    tls_make(&(struct tls_made){"soon", NULL, -20, 10, NULL, 0});
    tls_make(&(struct tls_made){"later", NULL, 5, 60, NULL, 0});
    tls_write_text("empty", "");
    tls_write_text("text", "what is this\n");
    tls_write_text("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    error[0] = '\0';
    tls = NULL;
}

static void tear_down(void) {
    tls_free(tls);
    tls_folder_remove();
    ck_assert_uint_eq(ERR_peek_error(),
                      0); /* nothing is left that a connection would take for its own */
}

static int make(const char *certificate, const char *key) {
    struct options options = tls_options(certificate, key);
    return tls_new(&options, NULL, &tls, error, sizeof error);
}

START_TEST(without_a_certificate_there_is_no_tls) {
    tls = (struct tls *)1;
    ck_assert_int_eq(make("", ""), 0);
    ck_assert_ptr_null(tls);
}
END_TEST

START_TEST(two_certificates_with_their_keys_are_taken) {
    char certificates[256], keys[256];
    snprintf(certificates, sizeof certificates, " %s ,%s,", tls_path("one.crt"),
             tls_path("two.crt"));
    snprintf(keys, sizeof keys, "%s,%s", tls_path("one.key"), tls_path("two.key"));
    ck_assert_msg(make(certificates, keys) == 0, "%s", error);
    ck_assert_uint_eq(tls_certificate_count(tls), 2);
    ck_assert_str_eq(tls_warning(tls, 0), "");
    ck_assert_str_eq(tls_warning(tls, 1), "");
}
END_TEST

static const struct {
    const char *certificate, *key, *said;
} faults[] = {
    {"none.crt", "one.key", "TLS_CERT_FILE: \"*\": cannot be read: No such file or directory"},
    {"one.crt", "none.key", "TLS_KEY_FILE: \"*\": cannot be read: No such file or directory"},
    {"empty", "one.key", "TLS_CERT_FILE: \"*\": is empty or no regular file"},
    {"text", "one.key", "TLS_CERT_FILE: \"*\": holds no PEM certificate"},
    {"one.key", "one.key", "TLS_CERT_FILE: \"*\": holds no PEM certificate"},
    {"broken", "one.key", "TLS_CERT_FILE: \"*\": the certificate: "},
    {"one.crt", "two.key", "TLS_KEY_FILE: \"*\": is not the key of the certificate"},
    {"one.crt", "later.key", "TLS_KEY_FILE: \"*\": is not the key of the certificate"},
    {"locked.crt", "locked.key", "TLS_KEY_FILE: \"*\": the private key is encrypted; store it"},
    {"one.crt", "one.crt", "TLS_KEY_FILE: \"*\": holds no PEM private key"},
    {"one.crt", "text", "TLS_KEY_FILE: \"*\": holds no PEM private key"},
    {"short.crt", "short.key", "TLS_CERT_FILE: \"*\": the certificate: ee key too small"},
};

START_TEST(what_is_wrong_is_said_in_one_line_with_option_and_file) {
    char wanted[256];
    const char *star = strchr(faults[_i].said, '*');
    bool of_key = strncmp(faults[_i].said, "TLS_KEY", 7) == 0;
    snprintf(wanted, sizeof wanted, "%.*s%s%s", (int)(star - faults[_i].said), faults[_i].said,
             tls_path(of_key ? faults[_i].key : faults[_i].certificate), star + 1);
    ck_assert_int_lt(make(tls_path(faults[_i].certificate), tls_path(faults[_i].key)), 0);
    ck_assert_msg(strncmp(error, wanted, strlen(wanted)) == 0, "%s", error);
    ck_assert_ptr_null(strchr(error, '\n'));
    ck_assert_ptr_null(tls);
}
END_TEST

START_TEST(keys_must_be_as_many_as_certificates) {
    char certificates[256];
    snprintf(certificates, sizeof certificates, "%s,%s", tls_path("one.crt"), tls_path("two.crt"));
    ck_assert_int_lt(make(certificates, tls_path("one.key")), 0);
    ck_assert_str_eq(error,
                     "TLS_KEY_FILE: 1 keys for the 2 certificates of TLS_CERT_FILE; give one "
                     "for each, in the same order");
    ck_assert_int_lt(make("", tls_path("one.key")), 0);
    ck_assert_str_eq(error, "TLS_CERT_FILE: not set, but TLS_KEY_FILE is; set both or neither");
}
END_TEST

START_TEST(client_certificates_need_an_authority) {
    struct options options = tls_options(tls_path("one.crt"), tls_path("one.key"));
    options.tls_client_cert = "require";
    ck_assert_int_lt(tls_new(&options, NULL, &tls, error, sizeof error), 0);
    ck_assert_ptr_nonnull(strstr(error, "TLS_CLIENT_CA_FILE: not set"));
    options.tls_client_ca_file = tls_path("text");
    ck_assert_int_lt(tls_new(&options, NULL, &tls, error, sizeof error), 0);
    ck_assert_ptr_nonnull(strstr(error, "holds no PEM certificate"));
    options.tls_client_ca_file = tls_path("two.crt");
    ck_assert_int_eq(tls_new(&options, NULL, &tls, error, sizeof error), 0);
    tls_free(tls);
    tls = NULL;
    options.tls_client_cert = "none"; /* whoever names an authority believes that it is asked for */
    ck_assert_int_lt(tls_new(&options, NULL, &tls, error, sizeof error), 0);
    ck_assert_ptr_nonnull(strstr(error, "TLS_CLIENT_CA_FILE: set, but TLS_CLIENT_CERT is none"));
}
END_TEST

static const struct {
    const char *name, *said;
} times[] = {{"over", "has expired"}, {"soon", "expires in "}, {"later", "is not valid yet"}};

START_TEST(a_certificate_out_of_its_time_is_taken_with_a_warning) {
    char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s.crt", times[_i].name);
    snprintf(key, sizeof key, "%s.key", times[_i].name);
    ck_assert_int_eq(make(tls_path(certificate), tls_path(key)), 0);
    ck_assert_msg(strstr(tls_warning(tls, 0), times[_i].said) != NULL, "%s", tls_warning(tls, 0));
}
END_TEST

/* --- names --- */

static const char *const in_certificates[][4] = {
    {"one.example", "*.one.example", "*.both.example"},
    {"two.example.", "www.one.example", "UPPER.example", "*.both.example"},
    {"*", "*.", "f*.example", "a.*.example"},
};
static const struct {
    const char *asked;
    int certificate;
} answers[] = {
    {"one.example", 0},
    {"ONE.example", 0},
    {"one.example.", 0},
    {"a.one.example", 0},
    {"www.one.example", 1},
    {"a.b.one.example", -1},
    {"two.example", 1},
    {"a.two.example", -1},
    {"upper.EXAMPLE", 1},
    {"x.both.example", 0},
    {".one.example", -1},
    {"*.one.example", -1},
    {"", -1},
    {".", -1},
    {"example", -1},
    {"foo.example", -1},
    {"a b.one.example", -1},
    {"one.example\n", -1},
    {"\xc3\xa4.one.example", -1},
    {"..", -1},
    {"one..example", -1},
};

START_TEST(a_name_finds_its_certificate_itself_before_a_wildcard_and_the_first_of_two) {
    struct tls_names names = {0};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 4 && in_certificates[i][k] != NULL; k++) {
            ck_assert_int_eq(tls_names_add(&names, span_of(in_certificates[i][k]), i), 0);
        }
    }
    tls_names_sort(&names);
    for (unsigned i = 0; i < ARRAY_LENGTH(answers); i++) {
        ck_assert_msg(tls_names_find(&names, span_of(answers[i].asked)) == answers[i].certificate,
                      "%s", answers[i].asked);
    }
    tls_names_done(&names);
}
END_TEST

START_TEST(a_name_of_any_length_or_with_a_nul_is_no_surprise) {
    struct tls_names names = {0};
    char longest[300];
    memset(longest, 'a', sizeof longest);
    tls_names_sort(&names);
    ck_assert_int_eq(tls_names_find(&names, span_of("one.example")), -1);
    ck_assert_int_eq(tls_names_add(&names, (struct span){longest, 254}, 0), 0);
    ck_assert_uint_eq(names.count, 0);
    ck_assert_int_eq(tls_names_add(&names, (struct span){longest, 253}, 7), 0);
    ck_assert_int_eq(tls_names_add(&names, (struct span){"one.example\0.evil.example", 25}, 1), 0);
    ck_assert_uint_eq(names.count, 1);
    tls_names_sort(&names);
    for (size_t length = 0; length < sizeof longest; length++) {
        ck_assert_int_eq(tls_names_find(&names, (struct span){longest, length}),
                         length == 253 ? 7 : -1);
    }
    tls_names_done(&names);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tls");
    TCase *files = tcase_create("files");
    TCase *names = tcase_create("names");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, without_a_certificate_there_is_no_tls);
    tcase_add_test(files, two_certificates_with_their_keys_are_taken);
    tcase_add_loop_test(files, what_is_wrong_is_said_in_one_line_with_option_and_file, 0,
                        ARRAY_LENGTH(faults));
    tcase_add_test(files, keys_must_be_as_many_as_certificates);
    tcase_add_test(files, client_certificates_need_an_authority);
    tcase_add_loop_test(files, a_certificate_out_of_its_time_is_taken_with_a_warning, 0,
                        ARRAY_LENGTH(times));
    tcase_add_test(names,
                   a_name_finds_its_certificate_itself_before_a_wildcard_and_the_first_of_two);
    tcase_add_test(names, a_name_of_any_length_or_with_a_nul_is_no_surprise);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, names);
    return unit_run(suite);
}
