/* Sets of roles as the tables of this room write them: COUNTY | TOWNSHIP. Inside of the room. */
#ifndef ACCESS_MASKS_H
#define ACCESS_MASKS_H

/* A role's place in access_roles.def … */
enum {
#define ROLE(name, code, zh, en, kind) name##_AT,
#include "access_roles.def"
#undef ROLE
};
/* … and the set of it alone. */
enum {
#define ROLE(name, code, zh, en, kind) name = 1 << name##_AT,
#include "access_roles.def"
#undef ROLE
};

#endif
