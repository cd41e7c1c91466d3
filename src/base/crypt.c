#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "base/crypt.h"

#define YESCRYPT "$y$"
#define YESCRYPT_COST 5
#define SALT_BYTES 16

/* What is computed when there is no hash of our kind, so that the answer takes
 * as long as that to a wrong password. */
static const char dummy_setting[] = "$y$j9T$k2XAnEHBqQ1Ct2aMXFKNa/";

_Static_assert(PASSWORD_HASH_SIZE >= CRYPT_OUTPUT_SIZE, "a hash must fit");
_Static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "with its NUL");

void
crypt_random(void *ret, size_t len)
{
	char *p = ret;
	ssize_t n;

	while (len > 0) {
		n = getrandom(p, len, 0);
		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

uint64_t
crypt_random_u64(void)
{
	uint64_t v;

	crypt_random(&v, sizeof(v));
	return v;
}

static void
digest(const EVP_MD *md, const void *p, size_t len, uint8_t *ret)
{
	if (EVP_Digest(p, len, ret, NULL, md, NULL) != 1)
		abort();
}

void
crypt_sha256(const void *p, size_t len, uint8_t ret[32])
{
	digest(EVP_sha256(), p, len, ret);
}

void
crypt_hmac_sha256(
    const void *key, size_t key_len, const void *p, size_t len, uint8_t ret[32])
{
	unsigned n;

	if (HMAC(EVP_sha256(), key, (int)key_len, p, len, ret, &n) == NULL)
		abort();
}

void
crypt_sha1_hex(const void *p, size_t len, char ret[41])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum[20];

	digest(EVP_sha1(), p, len, sum);
	for (size_t i = 0; i < sizeof(sum); i++) {
		ret[2 * i] = hex[sum[i] >> 4];
		ret[2 * i + 1] = hex[sum[i] & 15];
	}
	ret[40] = '\0';
}

bool
crypt_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static bool
is_ours(const char *hash)
{
	return hash != NULL && strncmp(hash, YESCRYPT, strlen(YESCRYPT)) == 0 &&
	    strlen(hash) < PASSWORD_HASH_SIZE;
}

/* libxcrypt takes anything for a setting and then makes a DES hash, or returns
 * NULL or "*1": only $y$ in and $y$ out is a success. */
static bool
hash_with(
    const char *password, const char *setting, char ret[PASSWORD_HASH_SIZE])
{
	void *data = NULL;
	int size = 0;
	char *hash;
	bool good;

	hash = crypt_ra(password, setting, &data, &size);
	good = is_ours(setting) && is_ours(hash);
	if (good)
		memcpy(ret, hash, strlen(hash) + 1);
	if (data != NULL)
		OPENSSL_cleanse(data, (size_t)size);
	free(data);
	return good;
}

bool
password_hash(const char *password, char ret[PASSWORD_HASH_SIZE])
{
	char salt[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];

	crypt_random(salt, sizeof(salt));
	if (crypt_gensalt_rn(YESCRYPT, YESCRYPT_COST, salt, sizeof(salt),
		setting, sizeof(setting)) == NULL)
		return false;
	return hash_with(password, setting, ret);
}

bool
password_verify(const char *password, const char *hash)
{
	char got[PASSWORD_HASH_SIZE];
	size_t len;

	if (!is_ours(hash) || !hash_with(password, hash, got)) {
		hash_with(password, dummy_setting, got);
		return false;
	}
	len = strlen(hash);
	return strlen(got) == len && crypt_equal(got, hash, len);
}

static EVP_PKEY *
public_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = NULL;

	if (bio != NULL)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

bool
crypt_is_rsa_key(const char *pem)
{
	EVP_PKEY *key = public_key(pem);
	bool good = key != NULL && EVP_PKEY_is_a(key, "RSA") &&
	    EVP_PKEY_get_bits(key) >= 2048 && EVP_PKEY_get_bits(key) <= 8192;

	EVP_PKEY_free(key);
	return good;
}

bool
crypt_is_p256_key(const char *pem)
{
	EVP_PKEY *key = public_key(pem);
	char curve[64] = "";
	bool good = key != NULL && EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 &&
	    strcmp(curve, "prime256v1") == 0;

	EVP_PKEY_free(key);
	return good;
}
