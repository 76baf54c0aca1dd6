#include "manifest.h"

#include "inputs.h"

#include <string.h>

static const char broken[] = "\\\n\r";
static const char letters[] = "\\nr";

void manifest_add_file(struct text *to, const unsigned char digest[DIGEST_SIZE], const char *path) {
    if (strpbrk(path, broken) != NULL) {
        text_add_string(to, "\\");
    }
    digest_text(to, digest);
    text_add_string(to, "  ");
    for (; *path != '\0'; path++) {
        const char *found = strchr(broken, *path);
        if (found != NULL) {
            text_add_format(to, "\\%c", letters[found - broken]);
        } else {
            text_add(to, path, 1);
        }
    }
    text_add_string(to, "\n");
}

void manifest_add_form(struct text *to, const sft_tensor *tensor) {
    text_add_string(to, sft_dtype_name(tensor->dtype));
    text_add_string(to, " ");
    input_shape_text(to, tensor);
}

void manifest_add_tensor(struct text *to, const unsigned char digest[DIGEST_SIZE],
                         const sft_tensor *tensor) {
    text_add_string(to, "# ");
    digest_text(to, digest);
    text_add_string(to, " ");
    manifest_add_form(to, tensor);
    text_add_string(to, " ");
    text_quote(to, tensor->name, tensor->name_length);
    text_add_string(to, "\n");
}

/* Behind the digest: a space, then a space or an asterisk, then the path. */
static bool parse_file(struct manifest_line *line, const char *text, size_t length) {
    bool escaped = length > 0 && text[0] == '\\';
    text += escaped;
    length -= escaped;
    if (length < DIGEST_HEX + 3 || !digest_parse(text, length, line->digest) ||
        text[DIGEST_HEX] != ' ' || (text[DIGEST_HEX + 1] != ' ' && text[DIGEST_HEX + 1] != '*')) {
        return false;
    }
    for (size_t i = DIGEST_HEX + 2; i < length; i++) {
        char byte = text[i];
        if (byte == '\0') {
            return false;
        }
        if (escaped && byte == '\\') {
            const char *letter =
                i + 1 < length && text[i + 1] != '\0' ? strchr(letters, text[i + 1]) : NULL;
            if (letter == NULL) {
                return false;
            }
            byte = broken[letter - letters];
            i++;
        }
        text_add(&line->name, &byte, 1);
    }
    return true;
}

static bool parse_tensor(struct manifest_line *line, const char *text, size_t length) {
    if (length < DIGEST_HEX + 3 || text[1] != ' ' ||
        !digest_parse(text + 2, length - 2, line->digest) || text[DIGEST_HEX + 2] != ' ') {
        return false;
    }
    text += DIGEST_HEX + 3;
    length -= DIGEST_HEX + 3;
    const char *quote = memchr(text, '"', length);
    if (quote == NULL || quote == text || quote[-1] != ' ') {
        return false;
    }
    size_t before = (size_t)(quote - text);
    text_add(&line->form, text, before - 1);
    return text_unquote(&line->name, quote, length - before) == length - before;
}

void manifest_parse(struct manifest_line *line, const char *text, size_t length) {
    text_clear(&line->form);
    text_clear(&line->name);
    /* An empty name is a name too, and needs an address. */
    text_add(&line->name, "", 0);
    if (length > 0 && text[0] == '#') {
        line->kind = parse_tensor(line, text, length) ? MANIFEST_TENSOR : MANIFEST_COMMENT;
    } else {
        line->kind = parse_file(line, text, length) ? MANIFEST_FILE : MANIFEST_WRONG;
    }
}
