/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* err - errors as values: a kind for the caller, one line for a person. */
#include "base.h"

/* Room for what is formatted before it is made safe and cut. */
enum { RAW = 2 * sizeof(((struct err *)0)->text) };

static const char *const kind_names[ERR_KINDS] = {
    [ERR_NONE] = "none",     [ERR_RETRY] = "retry",     [ERR_AUTH] = "auth",
    [ERR_TENANT] = "tenant", [ERR_REFUSED] = "refused", [ERR_CHANGED] = "changed",
    [ERR_LOCAL] = "local",   [ERR_CONFIG] = "config",   [ERR_CANCELLED] = "cancelled",
};

/* Errors name outside things (files, replies), so the text is made safe here, once for all callers. */
static void set_text(struct err *e, const char *what, const char *why)
{
    char raw[2 * RAW];
    snprintf(raw, sizeof(raw), "%s%s%s", what, why ? ": " : "", why ? why : "");
    text_safe(e->text, sizeof(e->text), raw);
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    char what[RAW]; /* the arguments may lie in *e */
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    *e = (struct err){.kind = kind};
    set_text(e, what, NULL);
    return false;
}

bool err_sys(struct err *e, int sys, const char *fmt, ...)
{
    char what[RAW], why[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    *e = (struct err){.kind = ERR_LOCAL, .sys = sys};
    set_text(e, what, strerror_r(sys, why, sizeof(why)));
    return false;
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
    char context[RAW], was[sizeof(e->text)];
    memcpy(was, e->text, sizeof(was));
    va_list args;
    va_start(args, fmt);
    vsnprintf(context, sizeof(context), fmt, args);
    va_end(args);
    set_text(e, context, was);
    return false;
}

bool err_cause(struct err *e, int cause)
{
    e->cause = cause;
    return false;
}

const char *err_kind_name(enum err_kind kind)
{
    BUG_ON((unsigned)kind >= ERR_KINDS);
    return kind_names[kind];
}
