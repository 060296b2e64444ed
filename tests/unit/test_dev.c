/* What --dev keeps on disk, and what it prints. */
#include "gateway/supervisor/dev.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64], folder[128], path[192];
static char error[512];
static struct options options;

static const char *in_folder(const char *name) {
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void setup(void) {
    strcpy(root, "/tmp/moonx-dev-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(folder, sizeof(folder), "%s/build/dev", root);
    options = (struct options){.dev_directory = folder,
                               .websocket_service_host = "0.0.0.0",
                               .websocket_service_port = 3008,
                               .tls_cert_file = "",
                               .kafka_topic_prices = "price.updates"};
}

static void teardown(void) {
    char build[128];
    unlink(in_folder("secret"));
    unlink(in_folder("bootstrap"));
    rmdir(folder);
    snprintf(build, sizeof(build), "%s/build", root);
    rmdir(build);
    ck_assert_int_eq(rmdir(root), 0); /* nothing else was left */
}

static size_t content(const char *name, char *buffer, size_t size) {
    FILE *file = fopen(in_folder(name), "r");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(buffer, 1, size - 1, file);
    buffer[length] = '\0';
    fclose(file);
    return length;
}

static void write_bootstrap(const char *text) {
    FILE *file = fopen(in_folder("bootstrap"), "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(the_folder_and_the_secret_are_private) {
    struct stat status;
    char text[128];
    ck_assert_int_eq(dev_prepare(&options, error, sizeof(error)), 0);
    ck_assert_int_eq(stat(folder, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0700);
    ck_assert_int_eq(stat(in_folder("secret"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_uint_eq(content("secret", text, sizeof(text)), 65);
    ck_assert_uint_eq(strspn(text, "0123456789abcdef"), 64);
}
END_TEST

START_TEST(the_secret_is_made_once) {
    char first[128];
    char second[128];
    ck_assert_int_eq(dev_prepare(&options, error, sizeof(error)), 0);
    content("secret", first, sizeof(first));
    ck_assert_int_eq(dev_prepare(&options, error, sizeof(error)), 0);
    content("secret", second, sizeof(second));
    ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(a_folder_that_can_not_be_made_is_named) {
    options.dev_directory = "/dev/null/x";
    ck_assert_int_eq(dev_prepare(&options, error, sizeof(error)), -ENOTDIR);
    ck_assert_ptr_nonnull(strstr(error, "DEV_DIRECTORY: \"/dev/null/x\""));
}
END_TEST

START_TEST(the_brokers_address_is_awaited_and_read) {
    char broker[DEV_BROKER_MAX_BYTES] = "before";
    ck_assert_int_eq(dev_prepare(&options, error, sizeof(error)), 0);
    ck_assert_int_eq(dev_bootstrap_read(&options, broker), 0);
    write_bootstrap("127.0.0.1:1\n"); /* of an earlier run */
    ck_assert_int_eq(dev_bootstrap_clear(&options, error, sizeof(error)), 0);
    ck_assert_int_eq(dev_bootstrap_read(&options, broker), 0);
    ck_assert_str_eq(broker, "before");
    write_bootstrap("127.0.0.1:45678\n");
    ck_assert_int_eq(dev_bootstrap_read(&options, broker), 1);
    ck_assert_str_eq(broker, "127.0.0.1:45678");
    dev_bootstrap_remove(&options);
    ck_assert_int_eq(access(in_folder("bootstrap"), F_OK), -1);
}
END_TEST

static void banner(char *text, size_t size, const char *broker) {
    FILE *out = fmemopen(text, size, "w");
    ck_assert_ptr_nonnull(out);
    dev_print_banner(out, &options, "build/moonx-gateway", broker, "TOKEN");
    fclose(out);
}

START_TEST(the_banner_tells_addresses_that_can_be_connected_to) {
    char text[4096] = "";
    banner(text, sizeof(text), "127.0.0.1:45678");
    ck_assert_ptr_nonnull(strstr(text, "http://127.0.0.1:3008/health"));
    ck_assert_ptr_nonnull(strstr(text, "kcat -P -b 127.0.0.1:45678 -t price.updates"));
    ck_assert_ptr_nonnull(strstr(text, "http://127.0.0.1:3008/docs\n"));
    ck_assert_ptr_nonnull(strstr(text,
                                 "  export MOONX_URL=ws://127.0.0.1:3008/ws MOONX_TOKEN=TOKEN\n"
                                 "  build/moonx-client\n"));
}
END_TEST

START_TEST(an_ipv6_address_stands_in_brackets) {
    char text[4096] = "";
    options.websocket_service_host = "::";
    banner(text, sizeof(text), "");
    ck_assert_ptr_nonnull(strstr(text, "ws://[::1]:3008/ws"));
    ck_assert_ptr_null(strstr(text, "kcat"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dev");
    TCase *tests = tcase_create("folder");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_folder_and_the_secret_are_private);
    tcase_add_test(tests, the_secret_is_made_once);
    tcase_add_test(tests, a_folder_that_can_not_be_made_is_named);
    tcase_add_test(tests, the_brokers_address_is_awaited_and_read);
    tcase_add_test(tests, the_banner_tells_addresses_that_can_be_connected_to);
    tcase_add_test(tests, an_ipv6_address_stands_in_brackets);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
