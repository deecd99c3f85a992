/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault_walk - expat with limits: what is declared as an entity or goes too deep is refused.
 *
 * A walker serves a whole package: making a parser costs more than reading a small file. Of the files that are usually
 * the same it keeps the last as expat told it, and tells that again instead of reading the same bytes anew.
 */
#include "vault_internal.h"
#include <expat.h>
#include <sys/random.h>

enum { DEPTH_MAX = 64 };

struct walker {
    XML_Parser parser;
    unsigned long salt; /* of expat's tables; by itself it would ask the kernel for one per file */
    struct buf last;    /* the file of which `told` was told; empty: none */
    char **told;        /* each start: element, attributes, NULL; each end: NULL */
    size_t tells, size;
};

bool reader_refuse(struct reader *r, const char *why, const char *what)
{
    return what ? err_set(r->e, ERR_REFUSED, "%s: %s '%s'", r->file, why, what)
                : err_set(r->e, ERR_REFUSED, "%s: %s", r->file, why);
}

static void outcome(struct reader *r, bool is_good)
{
    if (is_good || r->has_failed)
        return;
    r->has_failed = true;
    XML_StopParser(r->walker->parser, XML_FALSE);
}

static void start_element(struct reader *r, const char *element, const char **attribute)
{
    buf_clear(&r->text);
    if (++r->depth > DEPTH_MAX)
        outcome(r, reader_refuse(r, "the XML is nested too deeply", NULL));
    else
        outcome(r, r->start(r, element, attribute));
}

static void end_element(struct reader *r)
{
    if (!r->has_failed && r->end)
        outcome(r, r->end(r));
    r->depth--;
}

/* --- a file told again ------------------------------------------------------------------------------------------- */

static void keep(struct walker *w, const char *text)
{
    if (w->tells == w->size) {
        w->size = MAX(2 * w->size, 16);
        w->told = mem_grow(w->told, w->size, sizeof *w->told);
    }
    w->told[w->tells++] = str_copy(text);
}

static void forget(struct walker *w)
{
    for (size_t i = 0; i < w->tells; i++)
        free(w->told[i]);
    w->tells = 0;
    buf_clear(&w->last);
}

static bool is_last(const struct walker *w, const char *xml, size_t len)
{
    return w->last.len > 0 && w->last.len == len && memcmp(w->last.data, xml, len) == 0;
}

static bool tell_again(struct reader *r, const struct walker *w)
{
    for (size_t i = 0; i < w->tells && !r->has_failed; i++) {
        if (w->told[i])
            start_element(r, w->told[i], (const char **)w->told + i + 1);
        else
            end_element(r);
        while (w->told[i])
            i++;
    }
    return !r->has_failed;
}

/* --- a file read ------------------------------------------------------------------------------------------------- */

static void on_start(void *arg, const char *element, const char **attribute)
{
    struct reader *r = arg;
    if (r->is_usually_repeated) {
        keep(r->walker, element);
        for (const char **at = attribute; *at; at++)
            keep(r->walker, *at);
        keep(r->walker, NULL);
    }
    start_element(r, element, attribute);
}

static void on_end(void *arg, const char *element UNUSED)
{
    struct reader *r = arg;
    if (r->is_usually_repeated)
        keep(r->walker, NULL);
    end_element(r);
}

static void on_text(void *arg, const char *text, int len)
{
    struct reader *r = arg;
    buf_add(&r->text, text, (size_t)len);
}

static void on_doctype(void *arg, const char *name UNUSED, const char *system UNUSED, const char *public UNUSED,
                       int has_subset)
{
    struct reader *r = arg;
    if (has_subset || !r->may_have_doctype)
        outcome(r, reader_refuse(r, "a document type definition is not taken", NULL));
}

static bool parse(struct reader *r, struct walker *w, const char *xml, size_t len)
{
    BUG_ON(len > XML_MAX || !XML_ParserReset(w->parser, NULL) || !XML_SetHashSalt(w->parser, w->salt));
    XML_SetUserData(w->parser, r);
    XML_SetElementHandler(w->parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(w->parser, on_doctype);
    if (r->text.max > 0)
        XML_SetCharacterDataHandler(w->parser, on_text);
    return XML_Parse(w->parser, xml, (int)len, 1) == XML_STATUS_OK && !r->has_failed;
}

static bool read_anew(struct reader *r, struct walker *w, const char *xml, size_t len)
{
    if (r->is_usually_repeated)
        forget(w);
    bool is_done = parse(r, w, xml, len);
    if (!is_done && !r->has_failed)
        err_set(r->e, ERR_REFUSED, "%s:%lu: %s", r->file, XML_GetCurrentLineNumber(w->parser),
                XML_ErrorString(XML_GetErrorCode(w->parser)));
    if (is_done && r->is_usually_repeated)
        buf_add(&w->last, xml, len);
    return is_done;
}

bool reader_run(struct reader *r, struct walker *w, const char *xml, size_t len, struct err *e)
{
    r->e = e;
    r->walker = w;
    bool is_done = r->is_usually_repeated && is_last(w, xml, len) ? tell_again(r, w) : read_anew(r, w, xml, len);
    buf_release(&r->text);
    return is_done;
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

struct walker *walker_new(void)
{
    struct walker *w = mem_alloc(sizeof *w);
    w->parser = XML_ParserCreateNS(NULL, XML_SEPARATOR);
    w->last = (struct buf)BUF_INIT(XML_MAX);
    BUG_ON(!w->parser || getrandom(&w->salt, sizeof w->salt, 0) != sizeof w->salt);
    w->salt |= 1; /* 0 would mean none */
    return w;
}

void walker_free(struct walker *w)
{
    forget(w);
    XML_ParserFree(w->parser);
    buf_release(&w->last);
    free(w->told);
    free(w);
}
