#include "checkpoint/findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/memory.h"

/* Texts of a finding are cut to this, so that names of 64 KiB cannot fill the memory. */
#define LONGEST_TEXT 1024

typedef struct sft_kept {
    sft_finding finding; /* first, so that one leads to the other */
    sft_place place;
    struct sft_kept *older; /* of the same severity */
    uint64_t size;          /* of this and the texts behind it */
} sft_kept;

/* The texts of one finding, before they have their memory. */
typedef struct texts {
    char where[2 * LONGEST_TEXT];
    char detail[LONGEST_TEXT];
    char member[LONGEST_TEXT];
    char global[LONGEST_TEXT];
    char call[LONGEST_TEXT];
} texts;

void sft_findings_init(sft_findings *findings, const sft_allocator *allocator, uint64_t limit) {
    memset(findings, 0, sizeof *findings);
    findings->allocator = *allocator;
    findings->limit = limit;
    findings->end.before = findings->end.after = &findings->end;
}

static void insert(sft_place *place, sft_place *before) {
    place->after = before;
    place->before = before->before;
    before->before->after = place;
    before->before = place;
}

static void remove_place(const sft_place *place) {
    place->before->after = place->after;
    place->after->before = place->before;
}

/* The least bad finding that is kept, the latest of those. */
static void drop_one(sft_findings *findings) {
    unsigned severity = 0;
    while (findings->newest[severity] == NULL) {
        severity++;
    }
    sft_kept *dropped = findings->newest[severity];
    findings->newest[severity] = dropped->older;
    remove_place(&dropped->place);
    sft_release(&findings->allocator, dropped, dropped->size);
    findings->kept--;
}

void sft_findings_free(sft_findings *findings) {
    while (findings->kept > 0) {
        drop_one(findings);
    }
}

static bool is_worth_keeping(const sft_findings *findings, sft_severity severity) {
    if (findings->kept < findings->limit) {
        return true;
    }
    for (unsigned less = 0; less < (unsigned)severity; less++) {
        if (findings->newest[less] != NULL) {
            return true;
        }
    }
    return false;
}

static bool copy_text(char *to, const char *from) {
    if (from == NULL) {
        return false;
    }
    const char *end = memchr(from, '\0', LONGEST_TEXT);
    size_t length = end != NULL ? (size_t)(end - from) : LONGEST_TEXT;
    sft_line line = sft_line_begin(to, LONGEST_TEXT - 3);
    sft_line_escape(&line, from, length, NULL, false);
    if (line.used >= LONGEST_TEXT - 3) {
        memcpy(to + strlen(to), "...", 4);
    }
    return true;
}

/* "archive/data.pkl, byte 33, REDUCE": as much of it as is known. */
static void write_where(char *to, size_t size, const char *member, const sft_finding *finding) {
    char byte[40] = "";
    member = member != NULL && member[0] == '\0' ? "(no name)" : member;
    if (finding->byte != SFT_NO_BYTE) {
        snprintf(byte, sizeof byte, "%sbyte %" PRIu64, member != NULL ? ", " : "", finding->byte);
    }
    bool any = member != NULL || byte[0] != '\0';
    snprintf(to, size, "%s%s%s%s%s", member != NULL ? member : "", byte,
             any && finding->opcode != NULL ? ", " : "",
             finding->opcode != NULL ? finding->opcode : "",
             any || finding->opcode != NULL ? "" : "the file");
}

static const char *place_text(char **room, const char *text) {
    size_t size = strlen(text) + 1;
    char *to = *room;
    memcpy(to, text, size);
    *room += size;
    return to;
}

static sft_kept *make(const sft_findings *findings, const sft_finding *finding) {
    texts t;
    bool member = copy_text(t.member, finding->member);
    bool global = copy_text(t.global, finding->global);
    bool call = copy_text(t.call, finding->call);
    bool detail = copy_text(t.detail, finding->detail);
    write_where(t.where, sizeof t.where, member ? t.member : NULL, finding);
    uint64_t size = sizeof(sft_kept) + strlen(t.where) + 1 + (detail ? strlen(t.detail) : 0) + 1 +
                    (member ? strlen(t.member) + 1 : 0) + (global ? strlen(t.global) + 1 : 0) +
                    (call ? strlen(t.call) + 1 : 0);
    sft_kept *made = sft_allocate(&findings->allocator, size);
    if (made == NULL) {
        return NULL;
    }
    char *room = (char *)(made + 1);
    made->size = size;
    made->finding = (sft_finding){
        .severity = finding->severity,
        .code = finding->code,
        .where = place_text(&room, t.where),
        .detail = place_text(&room, detail ? t.detail : ""),
        .member = member ? place_text(&room, t.member) : NULL,
        .byte = finding->byte,
        .opcode = finding->opcode,
        .global = global ? place_text(&room, t.global) : NULL,
        .call = call ? place_text(&room, t.call) : NULL,
    };
    return made;
}

sft_status sft_findings_add(sft_findings *findings, sft_place *place, const sft_finding *finding,
                            sft_error *error) {
    static const sft_verdict verdicts[] = {SFT_VERDICT_CLEAN, SFT_VERDICT_MALFORMED,
                                           SFT_VERDICT_UNKNOWN, SFT_VERDICT_DANGEROUS};
    findings->found++;
    if (verdicts[finding->severity] > findings->verdict) {
        findings->verdict = verdicts[finding->severity];
    }
    if (!is_worth_keeping(findings, finding->severity)) {
        return SFT_OK;
    }
    sft_kept *made = make(findings, finding);
    if (made == NULL) {
        return sft_fail_memory(error);
    }
    if (findings->kept == findings->limit) {
        drop_one(findings);
    }
    insert(&made->place, place);
    made->older = findings->newest[finding->severity];
    findings->newest[finding->severity] = made;
    findings->kept++;
    return SFT_OK;
}

sft_place *sft_findings_place(sft_findings *findings, sft_place *before) {
    sft_place *place = sft_allocate(&findings->allocator, sizeof *place);
    if (place != NULL) {
        insert(place, before);
    }
    return place;
}

void sft_findings_leave(sft_findings *findings, sft_place *place) {
    remove_place(place);
    sft_release(&findings->allocator, place, sizeof *place);
}

static const sft_finding *finding_at(const sft_findings *findings, const sft_place *place) {
    if (place == &findings->end) {
        return NULL;
    }
    const char *kept = (const char *)place - offsetof(sft_kept, place);
    return &((const sft_kept *)(const void *)kept)->finding;
}

const sft_finding *sft_findings_first(const sft_findings *findings) {
    return finding_at(findings, findings->end.after);
}

const sft_finding *sft_findings_next(const sft_findings *findings, const sft_finding *finding) {
    return finding_at(findings, ((const sft_kept *)(const void *)finding)->place.after);
}
