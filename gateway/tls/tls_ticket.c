#include "gateway/tls/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* What the callback may answer (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)). */
enum { TICKET_FAILED = -1, TICKET_NONE = 0, TICKET_GOOD = 1, TICKET_RENEW = 2 };

static int on_ticket(SSL *ssl, unsigned char name[TICKET_KEY_NAME_BYTES], unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing);

int tls_ticket_use(SSL_CTX *context, const struct ticket_keys *keys, long lifetime_s) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (keys == NULL) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(context, 0) == 1 ? 0 : -EINVAL;
    }
    SSL_CTX_set_app_data(context, (void *)(uintptr_t)keys);
    SSL_CTX_set_timeout(context, lifetime_s);
    /* one is enough for who comes back with one connection; each costs bytes and a seal */
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1 &&
                   SSL_CTX_set_num_tickets(context, 1) == 1
               ? 0
               : -EINVAL;
}

static bool set_mac_key(EVP_MAC_CTX *mac, struct ticket_key *key) {
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const struct ticket_keys *keys, unsigned char *name, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    struct ticket_key key;
    if (!ticket_keys_present(keys, &key)) {
        return TICKET_NONE;
    }
    memcpy(name, key.name, sizeof(key.name));
    bool good = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.aes, iv, NULL) == 1 &&
                set_mac_key(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    return good ? TICKET_GOOD : TICKET_FAILED;
}

static int open_ticket(const struct ticket_keys *keys, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    struct ticket_key key;
    enum ticket_age age = ticket_keys_find(keys, name, &key);
    if (age == TICKET_UNKNOWN) {
        return TICKET_NONE; /* a full handshake follows */
    }
    bool good = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key.aes, iv, NULL) == 1 &&
                set_mac_key(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    return !good ? TICKET_FAILED : age == TICKET_OLD ? TICKET_RENEW : TICKET_GOOD;
}

static int on_ticket(SSL *ssl, unsigned char name[TICKET_KEY_NAME_BYTES], unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing) {
    const struct ticket_keys *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return sealing ? seal(keys, name, iv, cipher, mac) : open_ticket(keys, name, iv, cipher, mac);
}
