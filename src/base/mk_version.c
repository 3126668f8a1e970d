#include "mk_version.h"

const char MK_VERSION[] = MENKOU_VERSION;
