//! The page about the settings, from the command line that knows them and the values that are in force without any.
