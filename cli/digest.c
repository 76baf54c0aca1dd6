#include "digest.h"

#include "exits.h"
#include "message.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct digest {
    EVP_MD_CTX *context;
};

static void expect(bool done) {
    if (!done) {
        message_line("libcrypto", "UNSUPPORTED", "it can't make a SHA-256 digest");
        exit(EXIT_TROUBLE);
    }
}

struct digest *digest_new(void) {
    struct digest *digest = memory_take(1, sizeof *digest);
    digest->context = EVP_MD_CTX_new();
    expect(digest->context != NULL);
    digest_begin(digest);
    return digest;
}

void digest_free(struct digest *digest) {
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_begin(struct digest *digest) {
    expect(EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1);
}

void digest_add(struct digest *digest, const void *bytes, size_t size) {
    expect(EVP_DigestUpdate(digest->context, bytes, size) == 1);
}

void digest_end(struct digest *digest, unsigned char result[DIGEST_SIZE]) {
    expect(EVP_DigestFinal_ex(digest->context, result, NULL) == 1);
}

void digest_text(struct text *to, const unsigned char result[DIGEST_SIZE]) {
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        text_add_format(to, "%02x", result[i]);
    }
}

static int digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    return found == NULL ? -1 : (int)(found - digits);
}

bool digest_parse(const char *text, size_t length, unsigned char result[DIGEST_SIZE]) {
    if (length < DIGEST_HEX) {
        return false;
    }
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        result[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
