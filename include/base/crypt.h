#ifndef TASKFLOW_BASE_CRYPT_H
#define TASKFLOW_BASE_CRYPT_H

/* Random bytes, digests, passwords. The only user of OpenSSL's libcrypto and
 * of libxcrypt. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the kernel; aborts if it has none. */
void crypt_random(void *ret, size_t len);
uint64_t crypt_random_u64(void);
void crypt_sha256(const void *, size_t len, uint8_t ret[32]);
/* HMAC-SHA-256 (RFC 2104). */
void crypt_hmac_sha256(const void *key, size_t key_len, const void *,
    size_t len, uint8_t ret[32]);
/* Lower-case hexadecimal SHA-1, as Redis names its scripts. */
void crypt_sha1_hex(const void *, size_t len, char ret[41]);
/* Constant-time comparison. */
bool crypt_equal(const void *, const void *, size_t len);

/* Is this PEM text a public key (SubjectPublicKeyInfo, RFC 5280) of RSA with
 * 2048 to 8192 bits, or of EC on the curve P-256? Nothing but its text. */
bool crypt_is_rsa_key(const char *pem);
bool crypt_is_p256_key(const char *pem);

#define PASSWORD_MAX		511	/* bytes; libxcrypt refuses 512 */
#define PASSWORD_HASH_SIZE	384
/* yescrypt ($y$) by libxcrypt, cost 5: about 75 ms and 16 MB. Thread-safe;
 * never call these two on the loop's thread. False: out of memory, or longer
 * than PASSWORD_MAX. */
bool password_hash(const char *password, char ret[PASSWORD_HASH_SIZE]);
/* A hash that is NULL or not of our kind costs the same time and is false. */
bool password_verify(const char *password, const char *hash);

#endif
