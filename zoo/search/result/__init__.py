"""What a search leaves for people and programs; never decides anything."""
