/* Keys and certificates for Kafka: read once, and good when their files can't be read any more. */
#include "ingest/kafka_keys.h"
#include "tests/unit/tls_fixture.h"
#include "tests/unit/unit.h"

static rd_kafka_conf_t *conf;
static char error[512];

static void setup(void) {
    tls_folder_make();
    tls_make(&(struct tls_made){.name = "client", .from_days = -1, .to_days = 1});
    tls_make(&(struct tls_made){.name = "other", .from_days = -1, .to_days = 1});
    tls_make(&(struct tls_made){
        .name = "secret", .from_days = -1, .to_days = 1, .passphrase = "open sesame"});
    conf = rd_kafka_conf_new();
    ck_assert_int_eq(rd_kafka_conf_set(conf, "security.protocol", "ssl", NULL, 0),
                     RD_KAFKA_CONF_OK);
    ck_assert_int_eq(rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", NULL, 0),
                     RD_KAFKA_CONF_OK);
}

static void teardown(void) {
    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
    tls_folder_remove();
}

static int set(const char *name, const char *file) {
    return kafka_keys_set(conf, name, tls_path(file), error, sizeof(error));
}

static void append(const char *to, const char *from) {
    char command[400];
    snprintf(command, sizeof(command), "cat %s >> %s", tls_path(from), tls_path(to));
    ck_assert_int_eq(system(command), 0);
}

static bool makes_a_producer(void) {
    rd_kafka_conf_t *again = rd_kafka_conf_dup(conf);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, again, error, sizeof(error));

    if (handle == NULL) {
        rd_kafka_conf_destroy(again);
        return false;
    }
    rd_kafka_destroy(handle);
    return true;
}

static bool is_set(const char *name) {
    size_t size = 0;
    return rd_kafka_conf_get(conf, name, NULL, &size) == RD_KAFKA_CONF_OK && size > 100;
}

START_TEST(a_producer_is_made_again_without_the_files) {
    ck_assert_int_eq(set("ssl.key.location", "client.key"), 1);
    ck_assert_int_eq(set("ssl.certificate.location", "client.crt"), 1);
    ck_assert_int_eq(set("ssl.ca.location", "other.crt"), 1);
    tls_folder_remove();
    ck_assert_msg(makes_a_producer(), "%s", error);
    ck_assert_msg(makes_a_producer(), "%s", error);
    tls_folder_make();
}
END_TEST

START_TEST(a_key_that_is_not_the_certificate_s_is_found) {
    ck_assert_int_eq(set("ssl.key.location", "other.key"), 1);
    ck_assert_int_eq(set("ssl.certificate.location", "client.crt"), 1);
    ck_assert(!makes_a_producer());
}
END_TEST

START_TEST(a_key_may_be_encrypted) {
    ck_assert_int_eq(set("ssl.key.location", "secret.key"), 1);
    ck_assert_int_eq(set("ssl.certificate.location", "secret.crt"), 1);
    ck_assert_int_eq(rd_kafka_conf_set(conf, "ssl.key.password", "open sesame", NULL, 0),
                     RD_KAFKA_CONF_OK);
    ck_assert_msg(makes_a_producer(), "%s", error);
}
END_TEST

START_TEST(a_certificate_with_others_behind_it_is_left_to_librdkafka) {
    append("client.crt", "other.crt");
    ck_assert_int_eq(set("ssl.certificate.location", "client.crt"), 0);
    ck_assert(!is_set("ssl.certificate.pem"));
    ck_assert_int_eq(set("ssl.ca.location", "client.crt"), 1); /* many authorities are many */
    ck_assert(is_set("ssl.ca.pem"));
}
END_TEST

START_TEST(a_folder_of_authorities_and_the_word_probe_are_left_to_librdkafka) {
    ck_assert_int_eq(kafka_keys_set(conf, "ssl.ca.location", tls_folder, error, sizeof(error)), 0);
    ck_assert_int_eq(kafka_keys_set(conf, "ssl.ca.location", "probe", error, sizeof(error)), 0);
}
END_TEST

START_TEST(other_properties_are_none_of_its_business) {
    ck_assert_int_eq(set("ssl.crl.location", "client.crt"), 0);
    ck_assert_int_eq(set("sasl.password", "client.key"), 0);
    ck_assert_int_eq(set("ssl.key", "client.key"), 0);
}
END_TEST

START_TEST(what_can_t_be_read_is_named_with_its_path) {
    char huge[KAFKA_KEYS_MAX_BYTES + 2];

    ck_assert_int_eq(set("ssl.key.location", "none.key"), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error, "none.key: No such file"));
    memset(huge, 'x', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    tls_write_text("huge.key", huge);
    ck_assert_int_eq(set("ssl.key.location", "huge.key"), -EFBIG);
    ck_assert_int_eq(kafka_keys_set(conf, "ssl.key.location", "/dev/zero", error, sizeof(error)),
                     -EINVAL);
    tls_write_text("wrong.key", "no key at all");
    ck_assert_int_eq(set("ssl.key.location", "wrong.key"), 1);
    ck_assert(!makes_a_producer());
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kafka_keys");
    TCase *tests = tcase_create("kafka_keys");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_producer_is_made_again_without_the_files);
    tcase_add_test(tests, a_key_that_is_not_the_certificate_s_is_found);
    tcase_add_test(tests, a_key_may_be_encrypted);
    tcase_add_test(tests, a_certificate_with_others_behind_it_is_left_to_librdkafka);
    tcase_add_test(tests, a_folder_of_authorities_and_the_word_probe_are_left_to_librdkafka);
    tcase_add_test(tests, other_properties_are_none_of_its_business);
    tcase_add_test(tests, what_can_t_be_read_is_named_with_its_path);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
