//! Which property of which resource meets which requirement.
