"""What two services, or a service and the browser, must agree on. Imports nothing of services/."""
