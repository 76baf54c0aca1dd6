/*
 * SHA-256, from OpenSSL.
 */
#ifndef CLI_DIGEST_H
#define CLI_DIGEST_H

#include "text.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX = 64 };

struct digest;

/* A digest that cannot be made ends the program with a message. */
struct digest *digest_new(void);
void digest_free(struct digest *digest);

/* digest_begin() - forgets what came before. */
void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *bytes, size_t size);
void digest_end(struct digest *digest, unsigned char result[DIGEST_SIZE]);

/* digest_text() - adds the 64 hexadecimal digits. */
void digest_text(struct text *to, const unsigned char result[DIGEST_SIZE]);

/* digest_parse() - reads them, in lower or upper case; false if they are not. */
bool digest_parse(const char *text, size_t length, unsigned char result[DIGEST_SIZE]);

#endif /* CLI_DIGEST_H */
