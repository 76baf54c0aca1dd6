#include "sarif.h"

#include "digest.h"
#include "json.h"
#include "message.h"

#include <stdlib.h>
#include <string.h>

/* ---- rules ---- */

struct rule {
    const char *id;
    const char *text;
};

static const struct rule rules[] = {
    {"DANGEROUS_GLOBAL", "A dangerous name is looked up"},
    {"DANGEROUS_CALL", "A dangerous function is called"},
    {"UNKNOWN_GLOBAL", "A name is looked up that nobody can vouch for"},
    {"UNKNOWN_CALL", "Something is called that nobody can vouch for"},
    {"DOTTED_NAME", "A name reaches through objects"},
    {"COMPUTED_NAME", "A name is the result of a call"},
    {"STATE_SET", "State is given to something that is not known to bear it"},
    {"ITEM_SET", "An item is set in something that is not known to bear it"},
    {"ITEM_APPENDED", "An item is appended to something that is not known to bear it"},
    {"ARGUMENT", "A harmless function is called with an argument that may not be"},
    {"EXTENSION_CODE", "A name is taken out of the registry of copyreg"},
    {"PERSISTENT_ID", "The loader is asked for something that it may not have"},
    {"BUFFER", "The loader is asked for bytes that it may not have"},
    {"FRAME_STRADDLED", "The stream is not as a pickler writes it: a frame is straddled"},
    {"STACK_LEFTOVER", "The stream is not as a pickler writes it: values are left over"},
    {"NESTED_PICKLE", "A pickle lies where none is known to belong"},
    {"CONTAINS_CODE", "The file contains a program"},
    {"MISSING_STORAGE", "A storage is not in the archive"},
    {"STORAGE_SIZE", "A storage has other than the bytes that its elements need"},
    {"ZIP_NAME_MISMATCH", "A file has two names in a zip archive"},
    {"ZIP_FLAGS", "A file in a zip archive has flags that torch does not write"},
    {"ZIP_DUPLICATE", "Two files in a zip archive have one name"},
    {"ZIP_UNSAFE_NAME", "A file in a zip archive has a name that leads elsewhere"},
    {"ZIP_COMMENT", "A zip archive has a comment"},
    {"ZIP_PREFIX", "Bytes stand before a zip archive"},
    {"ZIP_TRAILING_BYTES", "Bytes stand behind a zip archive"},
    {"ZIP_OVERLAP", "Files in a zip archive overlap"},
    {"ZIP_ENCRYPTED", "A file in a zip archive is said to be encrypted"},
    {"ZIP_CHECKSUM", "A file in a zip archive does not have its checksum"},
    {"ZIP_RECORDS", "The records of a zip archive disagree"},
    {"TRAILING_BYTES", "Bytes stand behind the last pickle"},
    {"UNSUPPORTED", "The file is of a kind that cannot be looked into"},
    {"TRUNCATED", "The file ends too soon"},
    {"BROKEN", "The file cannot be parsed"},
    {"LIMIT", "The file needs more than the limits allow"},
};

enum { RULES = sizeof rules / sizeof rules[0] };

/* The defects of safetensors files have the names of their statuses; see sft/base.h. */
static const sft_status first_defect = SFT_HEADER_TOO_SMALL;
static const sft_status last_defect = SFT_MEMORY_LIMIT;

static void print_text(const char *key, const char *text) {
    json_key(key);
    json_string(text);
}

static void print_message(const char *key, const char *text) {
    json_key(key);
    json_begin_object();
    print_text("text", text);
    json_end_object();
}

static void print_rule(const char *id, const char *text) {
    json_begin_object();
    print_text("id", id);
    print_message("shortDescription", text);
    json_end_object();
}

static size_t rule_of(const char *code) {
    size_t index = 0;
    while (index < RULES && strcmp(rules[index].id, code) != 0) {
        index++;
    }
    for (int status = first_defect; index == RULES && status <= (int)last_defect; status++) {
        if (strcmp(sft_status_name((sft_status)status), code) == 0) {
            return RULES + (size_t)(status - (int)first_defect);
        }
    }
    return index;
}

/* ---- results ---- */

static const char *level_of(sft_severity severity) {
    static const char *const levels[] = {"note", "warning", "warning", "error"};
    return levels[severity];
}

/* A path as a URI reference (RFC 3986): absolute ones with a scheme. */
static void add_uri(struct text *to, const char *path) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/!$&'()*+,;=@";
    text_add_string(to, path[0] == '/' ? "file://" : "");
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL) {
            text_add(to, path, 1);
        } else {
            text_add_format(to, "%%%02X", (unsigned)(unsigned char)*path);
        }
    }
}

static void print_location(const char *path, const sft_finding *finding) {
    struct text uri = TEXT_EMPTY;
    add_uri(&uri, path);
    json_begin_object();
    json_key("physicalLocation");
    json_begin_object();
    json_key("artifactLocation");
    json_begin_object();
    print_text("uri", uri.bytes);
    json_end_object();
    /* A byte of a member is none of the file's. */
    if (finding->byte != SFT_NO_BYTE && finding->member == NULL) {
        json_key("region");
        json_begin_object();
        json_key("byteOffset");
        json_number(finding->byte);
        json_end_object();
    }
    json_end_object();
    if (finding->member != NULL) {
        json_key("logicalLocations");
        json_begin_array();
        json_begin_object();
        print_text("fullyQualifiedName", finding->member);
        print_text("kind", "member");
        json_end_object();
        json_end_array();
    }
    json_end_object();
    text_free(&uri);
}

static void add_part(struct digest *digest, const char *text) {
    if (text != NULL) {
        digest_add(digest, text, strlen(text));
    }
    digest_add(digest, "", 1);
}

/* What stays the same when the file is saved again and its bytes move. */
static void print_fingerprint(const sft_finding *finding) {
    unsigned char result[DIGEST_SIZE];
    struct digest *digest = digest_new();
    digest_begin(digest);
    add_part(digest, finding->code);
    add_part(digest, finding->member);
    add_part(digest, finding->global);
    add_part(digest, finding->call);
    digest_end(digest, result);
    digest_free(digest);
    struct text hex = TEXT_EMPTY;
    digest_text(&hex, result);
    json_key("partialFingerprints");
    json_begin_object();
    print_text("sftFinding/v1", hex.bytes);
    json_end_object();
    text_free(&hex);
}

static void print_properties(const sft_finding *finding) {
    json_key("properties");
    json_begin_object();
    print_text("severity", sft_severity_name(finding->severity));
    if (finding->byte != SFT_NO_BYTE) {
        json_key("byte");
        json_number(finding->byte);
    }
    if (finding->opcode != NULL) {
        print_text("opcode", finding->opcode);
    }
    if (finding->global != NULL) {
        print_text("global", finding->global);
    }
    if (finding->call != NULL) {
        print_text("call", finding->call);
    }
    json_end_object();
}

static void print_result(const char *path, const sft_finding *finding) {
    struct text sentence = TEXT_EMPTY;
    text_add_string(&sentence, finding->where);
    text_add_string(&sentence, ": ");
    text_add_string(&sentence, finding->detail);
    json_begin_object();
    print_text("ruleId", finding->code);
    json_key("ruleIndex");
    json_number(rule_of(finding->code));
    print_text("level", level_of(finding->severity));
    print_message("message", sentence.bytes);
    json_key("locations");
    json_begin_array();
    print_location(path, finding);
    json_end_array();
    print_fingerprint(finding);
    print_properties(finding);
    json_end_object();
    text_free(&sentence);
}

void sarif_add(struct sarif *sarif, const struct scanned *file) {
    if (file->result == NULL) {
        sarif->troubles =
            memory_grow(sarif->troubles, sarif->trouble_count + 1, sizeof *sarif->troubles);
        struct text *trouble = &sarif->troubles[sarif->trouble_count++];
        *trouble = (struct text)TEXT_EMPTY;
        message_error_text(trouble, file->error);
        return;
    }
    for (uint64_t i = 0; !file->skipped && i < sft_scan_count(file->result); i++) {
        print_result(file->path, sft_scan_at(file->result, i));
    }
}

/* ---- the frame ---- */

static void print_driver(void) {
    json_key("driver");
    json_begin_object();
    print_text("name", "sft");
    print_text("version", sft_version());
    json_key("rules");
    json_begin_array();
    for (size_t i = 0; i < RULES; i++) {
        print_rule(rules[i].id, rules[i].text);
    }
    for (int status = first_defect; status <= (int)last_defect; status++) {
        print_rule(sft_status_name((sft_status)status), sft_status_text((sft_status)status));
    }
    json_end_array();
    json_end_object();
}

void sarif_begin(struct sarif *sarif) {
    memset(sarif, 0, sizeof *sarif);
    json_begin_object();
    print_text("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    print_text("version", "2.1.0");
    json_key("runs");
    json_begin_array();
    json_begin_object();
    json_key("tool");
    json_begin_object();
    print_driver();
    json_end_object();
    json_key("results");
    json_begin_array();
}

void sarif_end(struct sarif *sarif) {
    json_end_array();
    json_key("invocations");
    json_begin_array();
    json_begin_object();
    json_key("executionSuccessful");
    json_bool(sarif->trouble_count == 0);
    json_key("toolExecutionNotifications");
    json_begin_array();
    for (size_t i = 0; i < sarif->trouble_count; i++) {
        json_begin_object();
        print_text("level", "error");
        print_message("message", sarif->troubles[i].bytes);
        json_end_object();
        text_free(&sarif->troubles[i]);
    }
    json_end_array();
    json_end_object();
    json_end_array();
    json_end_object();
    json_end_array();
    json_end_object();
    free(sarif->troubles);
}
