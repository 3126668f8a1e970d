/** Roles and states that accounts have, in the order they are offered. */
export const POST_ROLES = [
  'village-doctor', 'township-doctor', 'technician', 'reader', 'county-doctor', 'referral-office', 'family-doctor', 'consortium-office',
];
export const OTHER_ROLES = ['system-administrator', 'security-administrator', 'audit-administrator', 'integrator'];
export const ROLES = [...POST_ROLES, ...OTHER_ROLES];
export const STATES = ['active', 'waiting', 'first-password', 'disabled', 'locked'];
export const STATE_COLORS: Record<string, string | undefined> = {
  active: 'green', waiting: 'orange', 'first-password': 'blue', proposed: 'orange', coming: 'blue', 'in-force': 'green',
};
