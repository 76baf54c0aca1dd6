#include "checkpoint/refuse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/escape.h"

/* The first finding that is as bad as the verdict. */
static const sft_finding *find(const sft_scan_result *scan, sft_severity severity) {
    for (uint64_t i = 0; i < sft_scan_count(scan); i++) {
        const sft_finding *finding = sft_scan_at(scan, i);
        if (finding->severity == severity) {
            return finding;
        }
    }
    return NULL;
}

/* A finding's texts may be as long as the file likes: what counts stands at their beginning. */
typedef struct cut {
    char text[220];
} cut;

static cut cut_text(const char *text) {
    cut made;
    size_t length = strlen(text);
    size_t most = sizeof made.text - 4;
    size_t kept = length <= sizeof made.text - 1 ? length : most;
    while (kept < length && kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80) {
        kept--;
    }
    memcpy(made.text, text, kept);
    memcpy(made.text + kept, kept < length ? "..." : "", kept < length ? 4 : 1);
    return made;
}

static sft_status refuse(sft_status status, const sft_finding *finding, const char *advice,
                         sft_error *error) {
    if (finding == NULL) {
        return sft_fail(error, status, SFT_NO_BYTE, "%s%s", sft_status_text(status), advice);
    }
    const char *where = finding->where != NULL ? finding->where : "";
    return sft_fail(error, status, SFT_NO_BYTE, "%s%s%s%s%s",
                    cut_text(finding->detail != NULL ? finding->detail : finding->code).text,
                    *where != '\0' ? " (" : "", cut_text(where).text, *where != '\0' ? ")" : "",
                    advice);
}

static sft_status refuse_malformed(const sft_finding *finding, sft_error *error) {
    const char *code = finding != NULL ? finding->code : "";
    sft_status status = strcmp(code, "UNSUPPORTED") == 0 ? SFT_UNSUPPORTED_SOURCE
                        : strcmp(code, "LIMIT") == 0     ? SFT_SOURCE_LIMIT
                                                         : SFT_MALFORMED_SOURCE;
    return refuse(status, finding, "", error);
}

sft_status sft_refuse_scanned(const sft_scan_result *scan, bool allow_unknown, sft_error *error) {
    const sft_finding *malformed = find(scan, SFT_SEVERITY_MALFORMED);
    switch (sft_scan_verdict(scan)) {
    case SFT_VERDICT_DANGEROUS:
        return refuse(SFT_DANGEROUS_SOURCE, find(scan, SFT_SEVERITY_DANGEROUS), "", error);
    case SFT_VERDICT_UNKNOWN:
        if (!allow_unknown) {
            return refuse(SFT_UNVOUCHED_SOURCE, find(scan, SFT_SEVERITY_UNKNOWN), "", error);
        }
        return malformed == NULL ? SFT_OK : refuse_malformed(malformed, error);
    case SFT_VERDICT_MALFORMED:
        return refuse_malformed(malformed, error);
    default:
        break;
    }
    if (strcmp(sft_scan_format(scan), "safetensors") == 0) {
        return sft_fail(error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
                        "this is a safetensors file already");
    }
    /* Said before its directory, of a million members maybe, is read once more. */
    if (strcmp(sft_scan_format(scan), "zip") == 0) {
        return sft_fail(error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
                        "this is a zip archive that holds neither a data.pkl, as PyTorch's do, nor "
                        ".npy files, as NumPy's do");
    }
    if (!sft_scan_recognized(scan)) {
        return sft_fail(error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
                        "this is no checkpoint of a kind that can be read");
    }
    return SFT_OK;
}
